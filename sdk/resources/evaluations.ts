import { WaitTimeoutError } from '../errors.ts'
import { listing } from '../listing.ts'
import { isTerminal } from '../models.ts'
import type { EvaluationJob, EvaluationJobRequest, EvaluationState, JobOutcome, JobOutcomes, JobStates, Page } from '../models.ts'
import { pause } from '../pause.ts'
import type { CallOptions, Request } from '../request.ts'

export type ListEvaluations = CallOptions & {
  /** Items a page. Default: the hub's, 50. */
  limit?: number
  offset?: number
  name?: string
  /** `a,b`: both; `a|b`: one of them. */
  tags?: string
  status?: EvaluationState
  owner?: string
}

export type Wait = CallOptions & {
  /** Give up after this; 0 looks once. Default: never. */
  timeoutMs?: number
  /** Shortest pause between two looks; it grows to ten times as much while nothing changes. Default 500. */
  intervalMs?: number
  /** Called with the job when it is first seen, and after each change. */
  onUpdate?: (job: EvaluationJob) => void
}

export type LogOptions = CallOptions & {
  /** 1 to 10000, or -1 for all. Default: the hub's, 1000. */
  tailLines?: number
  timestamps?: boolean
  sinceSeconds?: number
}

export type SubmitOptions = CallOptions & {
  /** 1 to 255 visible characters: sending the same once more, within a day, finds what the first call created. */
  idempotencyKey?: string | undefined
}

const PATH = '/evaluations/jobs'
const BATCH_PATH = '/evaluations/batch/jobs'
const jobPath = (id: string) => `${PATH}/${encodeURIComponent(id)}`

/** Evaluation jobs. */
export function evaluationsOf(request: Request) {
  const get = (id: string, { signal }: CallOptions = {}) => request.json<EvaluationJob>({ method: 'GET', path: jobPath(id), signal })

  const logsAt = (path: string, { tailLines, timestamps, sinceSeconds, signal }: LogOptions) =>
    request.text({ method: 'GET', path, query: { tail_lines: tailLines, timestamps, since_seconds: sinceSeconds }, signal })

  return {
    get,

    /**
     * Stores the job; it runs from then on. Without a key it is never sent twice: after a `ConnectionError` the job may exist, so look
     * before submitting again.
     */
    submit: (job: EvaluationJobRequest, { idempotencyKey, signal }: SubmitOptions = {}) =>
      request.json<EvaluationJob>({ method: 'POST', path: PATH, body: job, idempotencyKey, signal }),

    /**
     * Up to 100 jobs in one request, each for itself: an outcome has its `job`, or the `error` that a submit by itself would have thrown.
     * With a key the call may be made again with the same jobs, and does only what is still undone.
     */
    submitBatch: async (jobs: readonly EvaluationJobRequest[], { idempotencyKey, signal }: SubmitOptions = {}): Promise<JobOutcome[]> => {
      const { items } = await request.json<JobOutcomes>({ method: 'POST', path: BATCH_PATH, body: { jobs }, idempotencyKey, signal })
      return items
    },

    /** Where up to 1,000 jobs stand, in one request; `not_found` has the ids that are nobody's. */
    states: (ids: readonly string[], { signal }: CallOptions = {}) =>
      request.json<JobStates>({ method: 'POST', path: `${BATCH_PATH}/states`, body: { ids }, isReading: true, signal }),

    /** Newest first. */
    list: ({ offset, signal, ...filter }: ListEvaluations = {}) =>
      listing(
        (from) => request.json<Page<EvaluationJob>>({ method: 'GET', path: PATH, query: { ...filter, offset: from || undefined }, signal }),
        offset,
      ),

    /** Resolves once the job is over, however it ended: read `status.state`. */
    wait: (id: string, options: Wait = {}) => waitFor((signal) => get(id, { signal }), options),

    /** Stops what still runs; results so far are kept. A job that has ended is refused with `job_can_not_be_updated`. */
    cancel: async (id: string, { signal }: CallOptions = {}): Promise<void> => {
      await request.text({ method: 'DELETE', path: jobPath(id), signal })
    },

    /** Removes the job, its results and its logs, in every state. */
    delete: async (id: string, { signal }: CallOptions = {}): Promise<void> => {
      await request.text({ method: 'DELETE', path: jobPath(id), query: { hard_delete: true }, signal })
    },

    /** The log of every run, one after the other, each below a heading. */
    logs: (id: string, options: LogOptions = {}) => logsAt(`${jobPath(id)}/logs`, options),

    /** The log of one run. */
    runLogs: (id: string, benchmarkIndex: number, options: LogOptions = {}) =>
      logsAt(`${jobPath(id)}/benchmarks/${benchmarkIndex}/logs`, options),
  }
}

const DEFAULT_INTERVAL_MS = 500
const GROWTH = 1.5
const LONGEST_INTERVALS = 10

async function waitFor(look: (signal: AbortSignal | undefined) => Promise<EvaluationJob>, options: Wait): Promise<EvaluationJob> {
  const { timeoutMs = Infinity, intervalMs = DEFAULT_INTERVAL_MS, onUpdate, signal } = options
  const deadline = performance.now() + timeoutMs
  let pauseMs = intervalMs
  let before = ''
  for (;;) {
    const job = await look(signal)
    const now = JSON.stringify([job.status, job.results])
    if (now !== before) onUpdate?.(job)
    if (isTerminal(job.status.state)) return job

    const leftMs = deadline - performance.now()
    if (leftMs <= 0) throw new WaitTimeoutError(job, timeoutMs)
    pauseMs = now === before ? Math.min(pauseMs * GROWTH, intervalMs * LONGEST_INTERVALS) : intervalMs
    before = now
    await pause(Math.min(pauseMs, leftMs), signal)
  }
}
