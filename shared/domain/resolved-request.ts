import type { BenchmarkConfig, EvaluationJobConfig } from '../models/evaluation.ts'
import type { RunSpec } from './run-spec.ts'

/** What a run goes by, as its adapter understands it: `num_examples` among the others. */
export const effectiveParameters = ({ parameters, num_examples }: Pick<RunSpec, 'parameters' | 'num_examples'>) => ({
  ...parameters,
  ...(num_examples !== undefined && { num_examples }),
})

/**
 * Characters that the effective parameters of a job's runs may have together, as JSON, to be shown: a short request can give the same long ones to
 * a thousand. They are in no job's footprint; theirs is at most the second of these.
 */
export const [SHOWN_PARAMETERS_MAX, SHOWN_PARAMETERS_FOOTPRINT] = [32 * 1024, 512 * 1024]

type Run = { resolved_sha: string | null; spec: RunSpec | null }

/**
 * A job's request with the commits of test data that its runs have used, in `test_data_ref.resolved_sha`.
 *
 * The benchmarks of a collection are then shown whole, as they were understood at submit (contract 3.6). `runs` are ordered by index; of a
 * job with a collection each has its spec once a commit is known.
 */
export function withResolvedShas(request: EvaluationJobConfig, runs: readonly Run[]): EvaluationJobConfig {
  if (runs.every(({ resolved_sha }) => resolved_sha === null)) return request
  const { benchmarks, collection } = request
  if (collection) {
    const understood = runs.flatMap(({ spec, resolved_sha }) => (spec ? [withSha(entryOf(spec), resolved_sha)] : []))
    return { ...request, collection: { ...collection, benchmarks: understood } }
  }
  return { ...request, ...(benchmarks && { benchmarks: benchmarks.map((entry, at) => withSha(entry, runs[at]?.resolved_sha ?? null)) }) }
}

const withSha = (entry: BenchmarkConfig, sha: string | null): BenchmarkConfig =>
  entry.test_data_ref && sha !== null ? { ...entry, test_data_ref: { ...entry.test_data_ref, resolved_sha: sha } } : entry

/** The merged entry that `spec` was made of. What came from the provider is not part of it. */
function entryOf(spec: RunSpec): BenchmarkConfig {
  const { primary_score: primary, threshold, test_data_ref, hardware_config } = spec
  const { source, ...score } = primary ?? { source: 'provider' as const, metric: '' }
  return {
    id: spec.benchmark_id,
    provider_id: spec.provider_id,
    weight: spec.weight,
    ...(source !== 'provider' && { primary_score: score }),
    ...(threshold && threshold.source !== 'provider' && { pass_criteria: { threshold: threshold.value } }),
    ...(hardware_config && { hardware_config }),
    parameters: effectiveParameters(spec),
    ...(test_data_ref && { test_data_ref }),
  }
}
