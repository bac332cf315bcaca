import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import type { Pool } from '../client.ts'
import { json } from '../json.ts'
import { lookUpByIndex } from '../look-up.ts'

export type Launched = AttemptKey & {
  queueId: number
  /** What the runtime calls the launched thing. */
  objectUid: string
}

/**
 * Records runs as launched by `holder`, and takes them off the queue, in one transaction. Answers the queue ids that were still its own.
 *
 * One that is missing from the answer was taken over, cancelled, or has ended already: nothing is written for it, and the launched thing
 * is left to the bridge's next pass.
 */
export async function recordLaunches(db: Pool, holder: string, launched: readonly Launched[]): Promise<Set<number>> {
  if (launched.length === 0) return new Set()
  const rows = await db.begin(async (tx) => {
    const input = json(tx, launched)
    const planned = lookUpByIndex(tx)
    // Everybody locks runs before queue rows. Without this the foreign key of `attempts` would lock them after.
    const locked = tx`
      select from evalhub.runs join jsonb_to_recordset(${input}) as launched ("evaluationId" uuid, "benchmarkIndex" int)
        on evaluation_id = "evaluationId" and benchmark_index = "benchmarkIndex"
      order by evaluation_id, benchmark_index for key share of runs`
    await Promise.all([planned, locked])
    return tx<{ id: number }[]>`
      with removed as (
        delete from evalhub.launch_queue as queue
        using jsonb_to_recordset(${input}) as launched ("queueId" bigint, attempt smallint, "objectUid" text)
        where queue.id = launched."queueId" and queue.attempt = launched.attempt and queue.lease_holder = ${holder}
        returning queue.id, evaluation_id, benchmark_index, queue.attempt, "objectUid"
      ), recorded as (
        insert into evalhub.attempts (evaluation_id, benchmark_index, attempt, holder, object_uid)
        select evaluation_id, benchmark_index, attempt, ${holder}, "objectUid" from removed
      )
      select id from removed`
  })
  return new Set(rows.map((row) => row.id))
}
