import { z } from 'zod'
import { ErrorBody } from './error.ts'
import { AggregateTest, EvaluationJob, EvaluationJobConfig } from './evaluation.ts'
import { EvaluationState } from './states.ts'

/** Jobs that one request may submit. */
export const MAX_BATCH_JOBS = 100

/** Jobs whose states one request may ask for. */
const MAX_BATCH_STATES = 1000

/** Body of `POST /api/v1/evaluations/batch/jobs`. */
export const JobBatch = z.object({
  /** Each as `POST /api/v1/evaluations/jobs` takes it. */
  jobs: z.array(EvaluationJobConfig).min(1).max(MAX_BATCH_JOBS),
})

/** What became of one job of a batch: the status and the body with which it would have been answered by itself. */
export const JobOutcome = z.union([
  z.object({ status: z.literal(202), job: EvaluationJob }),
  z.object({ status: z.int().min(400).max(599), error: ErrorBody }),
])
export type JobOutcome = z.infer<typeof JobOutcome>

/** What became of the jobs of a batch, in their order. */
export const JobOutcomes = z.object({ items: z.array(JobOutcome) })
export type JobOutcomes = z.infer<typeof JobOutcomes>

/** Body of `POST /api/v1/evaluations/batch/jobs/states`. */
export const JobIds = z.object({ ids: z.array(z.string()).min(1).max(MAX_BATCH_STATES) })

/** Where a job stands, without its request and its results. */
export const JobState = z.object({
  id: z.string(),
  state: EvaluationState,
  /** As in the job's `resource`: when a state last changed; progress does not count. */
  updated_at: z.string(),
  /** Share that is done, 0 to 1: the mean over its benchmarks, each of which counts 1 once it has ended. */
  progress: z.number(),
  /** How many of its benchmarks are in which state. */
  benchmarks: z.object({
    total: z.int(),
    pending: z.int(),
    running: z.int(),
    completed: z.int(),
    failed: z.int(),
    cancelled: z.int(),
  }),
  /** Absent until the job has a score. */
  test: AggregateTest.optional(),
})
export type JobState = z.infer<typeof JobState>

/** States of jobs, in the order of the question, each once. */
export const JobStates = z.object({
  items: z.array(JobState),
  /** Ids that nothing has, or a job that the caller may not see. */
  not_found: z.array(z.string()),
})
export type JobStates = z.infer<typeof JobStates>
