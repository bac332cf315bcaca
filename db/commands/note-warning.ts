import { LAUNCH_WARNING } from '#shared/domain/apply-event.ts'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import { isTerminal } from '#shared/models/states.ts'
import type { Pool } from '../client.ts'
import { EVERY_TENANT } from '../scope.ts'
import { changeRunsTogether, type RunChange } from './change-runs.ts'

/** What the user of a run is to know about its launch: a sentence of one line, free of secrets. */
export type LaunchWarning = AttemptKey & { warning: string }

/** Says of runs what was amiss when they were launched, in one transaction. One that has ended, or has another attempt, stays as it is. */
export async function noteWarnings(db: Pool, warnings: readonly LaunchWarning[]): Promise<void> {
  if (warnings.length > 0) await changeRunsTogether(db, warnings.map(toChange))
}

const toChange = ({ evaluationId, benchmarkIndex, attempt, warning }: LaunchWarning): RunChange => ({
  scope: EVERY_TENANT,
  evaluationId,
  decide(_, runs) {
    const run = runs.find((candidate) => candidate.benchmark_index === benchmarkIndex)
    if (!run || isTerminal(run.state) || run.attempt !== attempt) return undefined
    return { runs: [{ ...run, warning_message: { message: warning, message_code: LAUNCH_WARNING, message_origin: 'server' } }] }
  },
})
