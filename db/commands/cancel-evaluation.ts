import { messageFor } from '#shared/domain/evaluation-state.ts'
import { requireVersion, type ExpectedVersions } from '#shared/domain/require-version.ts'
import { HubError, notFound } from '#shared/errors.ts'
import { isTerminal } from '#shared/models/states.ts'
import type { Db, Pool } from '../client.ts'
import { findEvaluation, isUuid, versionOf } from '../queries/evaluations.ts'
import type { Reserve } from '../reserve.ts'
import type { Scope } from '../scope.ts'
import { changeRuns } from './change-runs.ts'
import type { Decision, LockedEvaluation, LockedRun } from './decision.ts'

/** The versions that the caller takes the job for; absent means any. With them the job is read, for which `reserve` gives the memory. */
type Version = { expected?: ExpectedVersions; reserve?: Reserve }

/**
 * Ends a job and its runs as cancelled. The bridge sees that and ends what runs. `now` is RFC 3339.
 *
 * A job that is cancelled already stays as it is; one that has ended otherwise is refused with `job_can_not_be_updated`.
 */
export async function cancelEvaluation(db: Pool, scope: Scope, id: string, now: string, version: Version = {}): Promise<void> {
  await changeOwn(db, scope, id, version, (evaluation, runs) => {
    if (evaluation.state === 'cancelled') return undefined
    if (isTerminal(evaluation.state)) {
      throw HubError.of('job_can_not_be_updated', { Id: id, NewStatus: 'cancelled', Status: evaluation.state })
    }
    return { runs: cancelled(runs, now), cancel: true }
  })
}

/** Takes a job away, in whatever state it is. No read shows it from here on; the bridge removes the rest. `now` is RFC 3339. */
export async function deleteEvaluation(db: Pool, scope: Scope, id: string, now: string, version: Version = {}): Promise<void> {
  await changeOwn(db, scope, id, version, (evaluation, runs) => {
    if (isTerminal(evaluation.state)) return { runs: [], remove: true }
    return { runs: cancelled(runs, now), cancel: true, remove: true }
  })
}

type Decide = (evaluation: LockedEvaluation, runs: readonly LockedRun[]) => Decision | undefined

async function changeOwn(db: Pool, scope: Scope, id: string, { expected, reserve }: Version, decide: Decide): Promise<void> {
  if (!isUuid(id)) throw notFound('evaluation job', id)
  const requireExpected = async (on: Db, toReserve?: Reserve) => {
    const job = expected && (await findEvaluation(on, scope, id, toReserve))
    if (job) requireVersion(expected, await versionOf(JSON.stringify(job)))
  }
  // Before the lock: nobody waits for memory with a connection that others need, nor locks what is another version anyway.
  await requireExpected(db, reserve)
  const result = await changeRuns(db, scope, id, async (evaluation, runs, tx) => {
    await requireExpected(tx)
    if (evaluation.deleted_at !== null) throw notFound('evaluation job', id)
    return decide(evaluation, runs)
  })
  if (result === undefined) throw notFound('evaluation job', id)
}

/** The runs that had not ended, as cancelled. */
function cancelled(runs: readonly LockedRun[], now: string): LockedRun[] {
  const message = messageFor('cancelled', [])
  return runs
    .filter((run) => !isTerminal(run.state))
    .map((run) => ({ ...run, state: 'cancelled', error_message: message, completed_at: now }))
}
