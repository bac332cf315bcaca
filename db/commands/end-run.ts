import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import type { FailureClass } from '#shared/domain/failure-class.ts'
import { isTerminal } from '#shared/models/states.ts'
import type { Pool } from '../client.ts'
import { EVERY_TENANT } from '../scope.ts'
import { changeRuns } from './change-runs.ts'
import type { LockedRun } from './decision.ts'

/** The attempt that failed, and why: a later one is not touched. */
export type Failure = AttemptKey & {
  failureClass: FailureClass
  /** A sentence that tells the user what happened and what to do. */
  message: string
  exitCode?: number
}

/**
 * Ends a run as failed, for a reason that its adapter could not report. `now` is RFC 3339.
 *
 * False, and nothing changes, if the run has ended already or another attempt is under way.
 */
export async function endRun(db: Pool, failure: Failure, now: string): Promise<boolean> {
  const { evaluationId, benchmarkIndex, attempt } = failure
  const result = await changeRuns(db, EVERY_TENANT, evaluationId, (_, runs) => {
    const run = runs.find((candidate) => candidate.benchmark_index === benchmarkIndex)
    if (!run || isTerminal(run.state) || run.attempt !== attempt) return undefined
    return { runs: [failed(run, failure, now, 'server')], endedAttempts: [endedAttempt(failure)] }
  })
  return typeof result === 'object'
}

/** The run as one that has ended without its adapter's words. `origin`: `server` of what could not be launched, `runtime` of what was seen to end. */
export function failed(run: LockedRun, { message }: Failure, now: string, origin: 'server' | 'runtime'): LockedRun {
  return {
    ...run,
    state: 'failed',
    completed_at: now,
    error_message: { message, message_code: 'evaluation_job_failed', message_origin: origin },
  }
}

/** The row that closes the failed attempt, written also for one that was never launched. */
export const endedAttempt = ({ benchmarkIndex, attempt, failureClass, exitCode, message }: Failure) => ({
  benchmark_index: benchmarkIndex,
  attempt,
  failure_class: failureClass,
  exit_code: exitCode ?? null,
  message,
})
