import { isTerminal } from '#shared/models/states.ts'
import type { Pool } from '../client.ts'
import { EVERY_TENANT } from '../scope.ts'
import { changeRuns } from './change-runs.ts'
import { endedAttempt, type Failure } from './end-run.ts'

/**
 * Gives a run another attempt: closes the present one, sends the run back to pending (the only backward move there is) and queues it.
 *
 * The first `started_at` is kept. False, and nothing changes, if the run has ended already or another attempt is under way.
 */
export async function retryRun(db: Pool, failure: Failure): Promise<boolean> {
  const { evaluationId, benchmarkIndex, attempt } = failure
  const result = await changeRuns(db, EVERY_TENANT, evaluationId, (evaluation, runs) => {
    const run = runs.find((candidate) => candidate.benchmark_index === benchmarkIndex)
    if (!run || isTerminal(run.state) || run.attempt !== attempt || evaluation.deleted_at !== null) return undefined
    const next = { ...run, state: 'pending' as const, attempt: attempt + 1, phase: null, progress: null }
    return { runs: [next], endedAttempts: [endedAttempt(failure)], requeue: [benchmarkIndex] }
  })
  return typeof result === 'object'
}
