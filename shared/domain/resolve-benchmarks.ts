import { HubError, notFound } from '../errors.ts'
import type { CollectionConfig } from '../models/collection.ts'
import type { EvaluationJobConfig } from '../models/evaluation.ts'
import { BENCHMARKS_MAX } from '../models/fields.ts'
import type { BenchmarkResource, ProviderRuntime } from '../models/provider.ts'
import { benchmarkKey, mergeOverrides, type EffectiveBenchmark } from './merge-overrides.ts'
import { parameterRemarks } from './request-remarks.ts'
import type { RunSpec } from './run-spec.ts'

/** What of a provider's word about a benchmark counts for its runs. */
export type Definition = Pick<BenchmarkResource, 'primary_score' | 'pass_criteria'>

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
  definition: Definition | null
}

type Collection = { id: string; config: CollectionConfig }

const DAY_SECONDS = 24 * 60 * 60

/** What the snapshots of a job may come to together, as JSON, beyond its footprint. Each holds its provider's runtime and all its parameters, so a short request can ask for many copies of something long. */
const MAX_SNAPSHOTS_MIB = 4

/**
 * The runs of a job: one for each benchmark of the request, or of the collection with the request's additions, in order. Each is made when it is
 * called, since together they may be long (`snapshotsOf`).
 *
 * Refuses what section 1.4 of the contract refuses, in its order: an override that is not in the collection, an empty list,
 * a `resolved_sha`, an unknown provider (404) or benchmark (400), a missing model url, an experiment (no hub has an MLflow so far). And too many runs.
 */
export function resolveBenchmarks(
  request: EvaluationJobConfig,
  collection: Collection | undefined,
  found: readonly Found[],
): readonly (() => RunSpec)[] {
  const { benchmarks = [], collection: reference } = request
  const overrides = reference?.benchmarks ?? []
  const effective = collection ? mergeOverrides(collection.config.benchmarks, overrides) : benchmarks.map(asItIs)
  if (collection && effective.length === 0) throw HubError.of('collection_empty', { CollectionID: collection.id })
  if ([...benchmarks, ...overrides].some((benchmark) => benchmark.test_data_ref?.resolved_sha)) {
    throw HubError.of('resolved_sha_read_only', {})
  }
  if (effective.length > BENCHMARKS_MAX) {
    const error = `the job has ${effective.length} benchmarks; name at most ${BENCHMARKS_MAX} in one`
    throw HubError.of('request_validation_failed', { Error: error })
  }

  const byKey = new Map(found.map((entry) => [benchmarkKey(entry.provider_id, entry.benchmark_id), entry]))
  const runs = effective.map((benchmark) => {
    const entry = byKey.get(benchmarkKey(benchmark.provider_id, benchmark.id))
    if (!entry?.provider_known) throw notFound('provider', benchmark.provider_id)
    const { definition } = entry
    if (!definition) throw HubError.of('resource_does_not_exist', { Type: 'benchmark', ResourceID: benchmark.id })
    return () => specOf(benchmark, entry, definition, request, collection ? 'collection' : 'job')
  })
  if (request.model.url.trim() === '' && effective.some((benchmark) => benchmark.test_data_ref?.type !== 'pre_recorded_data')) {
    throw HubError.of('model_url_required', {})
  }
  if (request.experiment) throw HubError.of('mlflow_required_for_experiment', {})
  return runs
}

const asItIs = ({ parameters = {}, ...benchmark }: NonNullable<EvaluationJobConfig['benchmarks']>[number]): EffectiveBenchmark => ({
  ...benchmark,
  parameters: () => parameters,
  remarks: () => [],
})

/**
 * Makes the runs one by one, each with the characters that it and those before it have as JSON. Refuses more than a job of this `footprint` may keep.
 */
export function* snapshotsOf(runs: readonly (() => RunSpec)[], footprint: number): Generator<Snapshot, void> {
  let characters = 0
  for (const run of runs) {
    const spec = run()
    characters += JSON.stringify(spec).length
    if (characters > footprint + MAX_SNAPSHOTS_MIB * 1024 * 1024) {
      const what = `the benchmarks, each with its parameters and its provider's runtime, are more than ${MAX_SNAPSHOTS_MIB} MiB longer than the job itself`
      throw HubError.of('request_validation_failed', { Error: `${what}: name fewer in one job, or make those shorter` })
    }
    yield { spec, characters }
  }
}

export type Snapshot = { spec: RunSpec; characters: number }

function specOf(
  benchmark: EffectiveBenchmark,
  found: Found,
  definition: Definition,
  request: EvaluationJobConfig,
  owner: 'job' | 'collection',
): RunSpec {
  const given = benchmark.parameters()
  const { num_examples: numExamples, ...parameters } = given
  const deadline = deadlineOf(parameters, found)
  const remarks = [...benchmark.remarks(), ...parameterRemarks(given, deadline)]
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
    deadline_seconds: deadline,
    ...(remarks.length > 0 && { remarks }),
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
  benchmark: EffectiveBenchmark,
  definition: Definition,
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
