import { HubError, notFound } from '../errors.ts'
import type { CollectionConfig } from '../models/collection.ts'
import type { BenchmarkConfig, EvaluationJobConfig } from '../models/evaluation.ts'
import type { BenchmarkResource, ProviderRuntime } from '../models/provider.ts'
import type { RunSpec } from './run-spec.ts'

/** A benchmark that a request or collection names, with what the catalogue knows about it. */
export type Found = {
  provider_id: string
  benchmark_id: string
  /** False: no such provider is visible to the tenant. */
  provider_known: boolean
  from_catalogue: boolean
  runtime: ProviderRuntime | null
  deadline_seconds: number | null
  /** Null: the provider has no such benchmark. */
  definition: BenchmarkResource | null
}

type Collection = { id: string; config: CollectionConfig }

const DAY_SECONDS = 24 * 60 * 60

/** What the snapshots of a job may come to together, as JSON. Each holds its provider's runtime and all its parameters, so a short request can ask for many copies of something long. */
const MAX_SNAPSHOTS_MIB = 32

/**
 * The runs of a job: one spec for each benchmark of the request, or of the collection with the request's additions, in order.
 *
 * Refuses what section 1.4 of the contract refuses, in its order: an override that is not in the collection, an empty list,
 * a `resolved_sha`, an unknown provider (404) or benchmark (400), a missing model url, an experiment (no hub has an MLflow so far).
 */
export function resolveBenchmarks(request: EvaluationJobConfig, collection: Collection | undefined, found: readonly Found[]): RunSpec[] {
  const overrides = request.collection?.benchmarks ?? []
  if (collection) refuseStrangers(collection, overrides)
  const effective = collection ? collection.config.benchmarks.map((entry) => merge(entry, overrides)) : (request.benchmarks ?? [])
  if (collection && effective.length === 0) throw HubError.of('collection_empty', { CollectionID: collection.id })
  if ([...(request.benchmarks ?? []), ...overrides].some((benchmark) => benchmark.test_data_ref?.resolved_sha !== undefined)) {
    throw HubError.of('resolved_sha_read_only', {})
  }

  const byKey = new Map(found.map((entry) => [keyOf(entry.provider_id, entry.benchmark_id), entry]))
  const specs = effective.map((benchmark) => {
    const entry = byKey.get(keyOf(benchmark.provider_id, benchmark.id))
    if (!entry?.provider_known) throw notFound('provider', benchmark.provider_id)
    if (!entry.definition) throw HubError.of('resource_does_not_exist', { Type: 'benchmark', ResourceID: benchmark.id })
    return specOf(benchmark, entry, entry.definition, request, collection ? 'collection' : 'job')
  })
  if (request.model.url.trim() === '' && specs.some((spec) => spec.test_data_ref?.type !== 'pre_recorded_data')) {
    throw HubError.of('model_url_required', {})
  }
  if (request.experiment) throw HubError.of('mlflow_required_for_experiment', {})
  return specs
}

/** The characters of a job's snapshots as JSON. Refuses more than a job may keep. */
export function snapshotsLength(specs: readonly RunSpec[]): number {
  let characters = 0
  for (const spec of specs) {
    characters += JSON.stringify(spec).length
    if (characters <= MAX_SNAPSHOTS_MIB * 1024 * 1024) continue
    const what = `the benchmarks, each with its parameters and its provider's runtime, are more than ${MAX_SNAPSHOTS_MIB} MiB together`
    throw HubError.of('request_validation_failed', { Error: `${what}: name fewer in one job, or make those shorter` })
  }
  return characters
}

const keyOf = (provider: string, benchmark: string) => JSON.stringify([provider, benchmark])

/** Each override must name a benchmark of the collection. */
function refuseStrangers(collection: Collection, overrides: readonly BenchmarkConfig[]) {
  const entries = collection.config.benchmarks
  for (const { id, provider_id } of overrides) {
    if (!entries.some((entry) => entry.provider_id === provider_id)) {
      throw HubError.of('resource_does_not_exist', { Type: 'provider', ResourceID: provider_id })
    }
    if (!entries.some((entry) => entry.provider_id === provider_id && entry.id === id)) {
      throw HubError.of('resource_does_not_exist', { Type: 'benchmark', ResourceID: id })
    }
  }
}

/**
 * A collection's entry with what the job adds (contract 6.3): overrides of any benchmark of the same provider add parameters, the
 * collection's own win, and its null or empty string removes one. Weight and criteria are the collection's alone.
 */
function merge(entry: CollectionConfig['benchmarks'][number], overrides: readonly BenchmarkConfig[]): BenchmarkConfig {
  const ofProvider = overrides.filter((override) => override.provider_id === entry.provider_id)
  const parameters = new Map(ofProvider.flatMap((override) => Object.entries(override.parameters ?? {})))
  for (const [name, value] of Object.entries(entry.parameters ?? {})) {
    if (value === null || value === '') parameters.delete(name)
    else parameters.set(name, value)
  }
  const own = ofProvider.find((override) => override.id === entry.id)
  return {
    ...entry,
    parameters: Object.fromEntries(parameters),
    ...(own?.test_data_ref && { test_data_ref: own.test_data_ref }),
    ...(own?.hardware_config && { hardware_config: own.hardware_config }),
  }
}

function specOf(
  benchmark: BenchmarkConfig,
  found: Found,
  definition: BenchmarkResource,
  request: EvaluationJobConfig,
  owner: 'job' | 'collection',
): RunSpec {
  const { num_examples: numExamples, ...parameters } = benchmark.parameters ?? {}
  const hardware = benchmark.hardware_config ?? request.hardware_config
  return {
    provider_id: benchmark.provider_id,
    benchmark_id: benchmark.id,
    runtime: found.runtime ?? {},
    from_catalogue: found.from_catalogue,
    parameters,
    ...(typeof numExamples === 'number' && { num_examples: Math.trunc(numExamples) }),
    ...(benchmark.test_data_ref && { test_data_ref: benchmark.test_data_ref }),
    ...(hardware && { hardware_config: hardware }),
    deadline_seconds: deadlineOf(parameters, found),
    ...judgedBy(benchmark, definition, owner),
    weight: benchmark.weight || 1,
  }
}

/** The benchmark's `timeout_seconds`, else its provider's bound, else a day. */
function deadlineOf({ timeout_seconds: own }: Record<string, unknown>, found: Found): number {
  return typeof own === 'number' && own > 0 ? own : (found.deadline_seconds ?? DAY_SECONDS)
}

/** The provider's threshold counts only together with its metric: a job with a metric of its own brings its own threshold (contract 4.1). */
function judgedBy(
  benchmark: BenchmarkConfig,
  definition: BenchmarkResource,
  owner: 'job' | 'collection',
): Pick<RunSpec, 'primary_score' | 'threshold'> {
  const own = benchmark.primary_score
  const metric = own ?? definition.primary_score
  const ownThreshold = benchmark.pass_criteria?.threshold
  const threshold = ownThreshold ?? (own ? undefined : definition.pass_criteria?.threshold)
  return {
    ...(metric && { primary_score: { ...metric, source: own ? owner : 'provider' } }),
    ...(threshold !== undefined && { threshold: { value: threshold, source: ownThreshold === undefined ? 'provider' : owner } }),
  }
}
