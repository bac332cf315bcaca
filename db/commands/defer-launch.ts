import type { Db } from '../client.ts'
import { json } from '../json.ts'

export type Deferral = {
  queueId: number
  /** Seconds until the row is due again. */
  delaySeconds: number
  /** Why it could not be launched now; free of secrets. */
  reason: string
}

/** Gives leased rows back, to be claimed by anyone after a delay. A row that is no longer `holder`'s stays as it is. */
export async function deferLaunches(db: Db, holder: string, deferrals: readonly Deferral[]): Promise<void> {
  if (deferrals.length === 0) return
  await db`
    with deferred as (
      select * from jsonb_to_recordset(${json(db, deferrals)}) as deferred ("queueId" bigint, "delaySeconds" float8, reason text)
    ), held as (
      select id from evalhub.launch_queue
      where lease_holder = ${holder} and id in (select "queueId" from deferred)
      for update skip locked
    )
    update evalhub.launch_queue as queue
    set due_at = statement_timestamp() + make_interval(secs => "delaySeconds"), last_error = reason,
      lease_holder = null, lease_expires_at = null, changed_in = pg_current_xact_id()
    from deferred, held
    where queue.id = held.id and queue.id = "queueId"`
}
