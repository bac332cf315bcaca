import type { Message } from '../models/message.ts'
import { isTerminal, type EvaluationState, type RunState } from '../models/states.ts'

export type Circumstances = {
  /** The job was cancelled: that wins over everything. */
  cancelled: boolean
  /** A run of the job has been running once: a job that started is never pending again. */
  started: boolean
}

/**
 * The state of a job, derived from its runs and never written by hand.
 *
 * `partially_failed`: every run is over, some have results and some have none.
 * Source: section 3.3 of the published contract.
 */
export function deriveState(runs: readonly RunState[], { cancelled, started }: Circumstances): EvaluationState {
  if (cancelled) return 'cancelled'
  const every = (state: RunState) => runs.every((run) => run === state)
  if (every('pending')) return started ? 'running' : 'pending'
  if (!runs.every(isTerminal)) return 'running'
  for (const state of ['completed', 'failed', 'cancelled'] as const) if (every(state)) return state
  return 'partially_failed'
}

type FailedRun = { benchmark_id: string; state: RunState; error_message: Message | null }

const CANCELLED: Message = { message: 'Evaluation job cancelled', message_code: 'evaluation_job_cancelled', message_origin: 'server' }

/** The job's message about its state, and that of runs ended by a cancel. The texts are the contract's, stray space included. */
export function messageFor(state: EvaluationState, runs: readonly FailedRun[]): Message {
  if (state === 'cancelled') return CANCELLED
  return { message: textFor(state, runs), message_code: 'evaluation_job_updated', message_origin: 'server' }
}

function textFor(state: EvaluationState, runs: readonly FailedRun[]): string {
  if (state !== 'failed' && state !== 'partially_failed') return `Evaluation job is ${state}`
  const failures = runs
    .filter((run) => run.state === 'failed' && run.error_message)
    .map((run) => `Benchmark ${run.benchmark_id} failed with message: ${run.error_message?.message}\n`)
    .join('')
  if (state === 'failed') return `Evaluation job is failed. \n${failures}`
  const what = runs.some((run) => run.state === 'cancelled') ? 'failed or cancelled' : 'failed'
  return `Some of the benchmarks ${what}. \n${failures}`
}
