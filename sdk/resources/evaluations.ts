import { WaitTimeoutError } from '../errors.ts'
import { listing } from '../listing.ts'
import { isTerminal } from '../models.ts'
import type { EvaluationJob, EvaluationJobRequest, EvaluationState, Page } from '../models.ts'
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

const PATH = '/evaluations/jobs'
const jobPath = (id: string) => `${PATH}/${encodeURIComponent(id)}`

/** Evaluation jobs. */
export function evaluationsOf(request: Request) {
  const get = (id: string, { signal }: CallOptions = {}) => request.json<EvaluationJob>({ method: 'GET', path: jobPath(id), signal })

  const logsAt = (path: string, { tailLines, timestamps, sinceSeconds, signal }: LogOptions) =>
    request.text({ method: 'GET', path, query: { tail_lines: tailLines, timestamps, since_seconds: sinceSeconds }, signal })

  return {
    get,

    /**
     * Stores the job; it runs from then on. Never sent twice: after a `ConnectionError` the job may exist, so look
     * before submitting again.
     */
    submit: (job: EvaluationJobRequest, { signal }: CallOptions = {}) =>
      request.json<EvaluationJob>({ method: 'POST', path: PATH, body: job, signal }),

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
