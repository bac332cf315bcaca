import { z } from 'zod'
import { Description, keptUrl, PassCriteria, PrimaryScore, Tags, WORDS_MAX } from './fields.ts'

const Strings = z.array(z.string()).max(WORDS_MAX)

/** The largest framework known has some thousands of tasks. */
const PROVIDER_BENCHMARKS_MAX = 10_000

/** Environment variables, and parts of a command. */
const RUNTIME_ITEMS_MAX = 1000

/** Hints for programs that choose benchmarks. */
export const AgentMetadata = z.object({
  evaluates: Strings.optional(),
  recommended_when: Strings.optional(),
  complements: Strings.optional(),
  hints: Strings.optional(),
  result_interpretation: Strings.optional(),
  summary: z.string().max(200).optional(),
})

const ProviderAgent = AgentMetadata.extend({ target_type: z.enum(['model', 'agent', 'inference_server']).optional() })

const BenchmarkAgent = z.object({
  result_interpretation: z.string().optional(),
  score_ranges: z
    .array(z.object({ range: z.string().min(1), meaning: z.string().min(1) }))
    .max(WORDS_MAX)
    .optional(),
})

/** One benchmark that a provider offers. */
export const BenchmarkResource = z.object({
  /** 512 characters are what an index of the database holds in any script. */
  id: z.string().max(512).default(''),
  url: keptUrl('url of a benchmark').optional(),
  name: z.string().default(''),
  description: Description.default(''),
  category: z.string().default(''),
  metrics: Strings.optional(),
  /** Worked examples in the prompt. */
  num_few_shot: z.int().default(0),
  /** Items in the data set; 0 where unknown. */
  dataset_size: z.int().default(0),
  tags: Strings.optional(),
  primary_score: PrimaryScore.optional(),
  pass_criteria: PassCriteria.optional(),
  agent: BenchmarkAgent.optional(),
})
export type BenchmarkResource = z.infer<typeof BenchmarkResource>

/** An environment variable. Both spellings of the keys are read; these are answered. */
const EnvVar = z.object({ Name: z.string(), Value: z.string().default('') })

const Gpu = z.object({
  /** Such as `nvidia.com/gpu`. */
  resource: z.string().optional(),
  /** 0 and less mean none. */
  count: z.int().default(0),
  node_selector: z.record(z.string(), z.string()).optional(),
})

/** How a run is launched as a Kubernetes Job. The keys are the published server's. */
export const K8sRuntime = z.object({
  Image: z.string().default(''),
  Entrypoint: z.array(z.string()).max(RUNTIME_ITEMS_MAX).optional(),
  CPURequest: z.string().default(''),
  MemoryRequest: z.string().default(''),
  CPULimit: z.string().default(''),
  MemoryLimit: z.string().default(''),
  /** Of the node's disk, for what the adapter writes anywhere in its container. */
  EphemeralStorageRequest: z.string().optional(),
  EphemeralStorageLimit: z.string().optional(),
  gpu: Gpu.optional(),
  Env: z.array(EnvVar).max(RUNTIME_ITEMS_MAX).optional(),
  image_pull_policy: z.enum(['', 'if_not_present', 'always']).optional(),
  /** Whether the adapter gets `hf-token` of the model's Secret as it is; absent: it does not. */
  needs_hf_token: z.boolean().optional(),
})

/** How a run is launched as a process of the local hub. */
export const LocalRuntime = z.object({
  /** Line for `sh -c`. Taken from the catalogue only, unless the hub was told to allow more. */
  command: z.string().default(''),
  env: z.array(EnvVar).max(RUNTIME_ITEMS_MAX).optional(),
})

export const ProviderRuntime = z.object({ k8s: K8sRuntime.optional(), local: LocalRuntime.optional() })
export type ProviderRuntime = z.infer<typeof ProviderRuntime>

/** A framework and the benchmarks that it runs. */
export const ProviderConfig = z.object({
  name: z.string().default(''),
  title: z.string().default(''),
  description: Description.default(''),
  tags: Tags.optional(),
  benchmarks: z.array(BenchmarkResource).max(PROVIDER_BENCHMARKS_MAX).optional(),
  runtime: ProviderRuntime.optional(),
  agent: ProviderAgent.optional(),
})
export type ProviderConfig = z.infer<typeof ProviderConfig>

/** A provider in a catalogue file. `deadline_seconds` bounds each attempt of its runs. */
export const ProviderFile = ProviderConfig.extend({
  id: z.string().min(1).max(36),
  deadline_seconds: z.int32().min(1).optional(),
})
export type ProviderFile = z.infer<typeof ProviderFile>

/** What the hub knows about a provider or a collection beside its content. */
export const CatalogueResource = z.object({
  id: z.string(),
  tenant: z.string().optional(),
  created_at: z.string(),
  updated_at: z.string(),
  /** `system` for those of the catalogue. */
  owner: z.string().optional(),
})

export const Provider = z.object({
  resource: CatalogueResource,
  ...ProviderConfig.shape,
  /** Never null: the published Python client refuses that. */
  benchmarks: z.array(BenchmarkResource),
})
export type Provider = z.infer<typeof Provider>
