import { z } from 'zod'
import { ModelRef, OciCoordinates } from './evaluation.ts'
import { Opaque, PrimaryScore } from './fields.ts'

/**
 * What an adapter is given: `/meta/job.json` in a pod, `$EVALHUB_JOB_SPEC_PATH` on a laptop.
 *
 * Source: section 9.1 and 19 of the published contract. No key is added: what else an adapter
 * needs comes in `EVALHUB_*` variables.
 */
export const JobSpec = z.object({
  /** Id of the evaluation job. */
  id: z.string(),
  provider_id: z.string(),
  benchmark_id: z.string(),
  benchmark_index: z.int().min(0),
  model: ModelRef,
  /** Items to evaluate at most; absent means all. */
  num_examples: z.int().optional(),
  parameters: Opaque,
  /** The metric that the benchmark will be judged by. */
  primary_score: PrimaryScore.optional(),
  experiment_name: z.string().optional(),
  /** Tags of the MLflow experiment. */
  tags: z.array(z.object({ key: z.string(), value: z.string() })).optional(),
  /** Base to which events are posted, without a path. */
  callback_url: z.string(),
  exports: z.object({ oci: z.object({ coordinates: OciCoordinates }).optional() }).optional(),
})
export type JobSpec = z.infer<typeof JobSpec>
