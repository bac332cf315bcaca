import type { Waiting } from '#shared/domain/waiting.ts'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import type { Db } from '../client.ts'
import { json } from '../json.ts'

export type WaitingRun = AttemptKey & { waiting: Waiting }

/**
 * Says why pending runs have not started. The same kind of reason keeps the time at which it began.
 *
 * A run that has started, or has another attempt, stays as it is, and so does `updated_at`: this is no news about the run.
 */
export async function noteWaiting(db: Db, runs: readonly WaitingRun[]): Promise<void> {
  if (runs.length === 0) return
  await db`
    with given as (
      select * from jsonb_to_recordset(${json(db, runs)}) as run ("evaluationId" uuid, "benchmarkIndex" int, attempt smallint, waiting jsonb)
    ), free as (
      select run.evaluation_id, run.benchmark_index, given.waiting
      from evalhub.runs as run join given
        on run.evaluation_id = "evaluationId" and run.benchmark_index = "benchmarkIndex" and run.attempt = given.attempt
      where run.state = 'pending'
      order by run.evaluation_id, run.benchmark_index
      for no key update of run skip locked
    )
    update evalhub.runs as run set waiting = free.waiting,
      waiting_since = case when free.waiting ->> 'kind' = run.waiting ->> 'kind' then run.waiting_since else now() end
    from free where run.evaluation_id = free.evaluation_id and run.benchmark_index = free.benchmark_index`
}
