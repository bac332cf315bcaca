import { z } from 'zod'
import { BENCHMARKS_MAX, Description, Float32, keptUrl, Opaque, Parameters, PassCriteria, PrimaryScore, Tags, WORDS_MAX } from './fields.ts'
import { AgentMetadata, CatalogueResource } from './provider.ts'
import { TestDataRef } from './test-data.ts'

/** One entry of a collection. Its place in the list is the run's `benchmark_index`. */
export const CollectionBenchmark = z.object({
  id: z.string().min(1),
  provider_id: z.string().min(1),
  /** The provider's page about it. Written by the hub: what a request says is ignored, but for a patch of a single field of the entry. */
  url: keptUrl('url of a benchmark').optional(),
  weight: Float32.min(0).optional(),
  primary_score: PrimaryScore.optional(),
  pass_criteria: PassCriteria.optional(),
  /** Win over those of a job. */
  parameters: Parameters.optional(),
  test_data_ref: TestDataRef.optional(),
})
export type CollectionBenchmark = z.infer<typeof CollectionBenchmark>

/** The lists by which collections are found. */
export const COLLECTION_WORDS = ['domains', 'tasks', 'modalities', 'industries', 'evaluation_targets'] as const
export type CollectionWords = (typeof COLLECTION_WORDS)[number]

const Words = z.array(z.string()).max(WORDS_MAX).optional()

/** A curated, weighted set of benchmarks. */
export const CollectionConfig = z.object({
  name: z.string().min(1),
  description: Description.default(''),
  category: z.string().min(1).max(128),
  tags: Tags.optional(),
  custom: Opaque.optional(),
  /** Threshold of a job's score, unless the job has one. */
  pass_criteria: PassCriteria.optional(),
  benchmarks: z.array(CollectionBenchmark).min(1).max(BENCHMARKS_MAX),
  agent: AgentMetadata.optional(),
  domains: Words,
  tasks: Words,
  modalities: Words,
  industries: Words,
  evaluation_targets: Words,
  curation_order: z.number().optional(),
})
export type CollectionConfig = z.infer<typeof CollectionConfig>

/** A collection in a catalogue file. */
export const CollectionFile = CollectionConfig.extend({ id: z.string().min(1).max(36) })
export type CollectionFile = z.infer<typeof CollectionFile>

export const Collection = z.object({ resource: CatalogueResource, ...CollectionConfig.shape })
export type Collection = z.infer<typeof Collection>
