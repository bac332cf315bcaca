import type { EvaluationJobConfig } from '../models/evaluation.ts'
import type { JobSpec } from '../models/job-spec.ts'
import type { RunSpec } from './run-spec.ts'

export type JobSpecInput = {
  evaluationId: string
  benchmarkIndex: number
  request: EvaluationJobConfig
  spec: RunSpec
  /** Base to which the adapter posts its events, without a path. */
  callbackUrl: string
}

/** The adapter's job.json, with the contract's keys and no other (sections 9.1 and 19). */
export function jobSpecFor({ evaluationId, benchmarkIndex, request, spec, callbackUrl }: JobSpecInput): JobSpec {
  const { experiment, exports, model } = request
  const coordinates = exports?.oci?.coordinates
  const metric = spec.primary_score
  return {
    id: evaluationId,
    provider_id: spec.provider_id,
    benchmark_id: spec.benchmark_id,
    benchmark_index: benchmarkIndex,
    model,
    ...(spec.num_examples !== undefined && { num_examples: spec.num_examples }),
    parameters: spec.parameters,
    ...(metric && { primary_score: { metric: metric.metric, ...(metric.lower_is_better && { lower_is_better: true }) } }),
    ...(experiment && { experiment_name: experiment.name }),
    ...(experiment?.tags && { tags: experiment.tags }),
    callback_url: callbackUrl,
    ...(coordinates && { exports: { oci: { coordinates } } }),
  }
}
