import type { Db } from '../client.ts'
import { keptBytes } from './append-log.ts'

/** The smallest UUIDv7 of a time. Ids are in the order of their making, so a range of the key finds what is old. */
const firstIdOf = (db: Db, days: number) =>
  db`(lpad(to_hex((extract(epoch from now() - make_interval(days => ${days})) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid`

/** Removes up to `limit` pieces of logs whose last line is older than `days`, and takes them off what is kept of their jobs. Answers how many. */
export async function expireLogs(db: Db, days: number, limit: number): Promise<number> {
  const [row] = await db<{ count: number }[]>`
    with gone as (
      delete from evalhub.run_logs where (evaluation_id, benchmark_index, attempt, container, seq) in (
        select evaluation_id, benchmark_index, attempt, container, seq from evalhub.run_logs
        where evaluation_id < ${firstIdOf(db, days)} and last_at < now() - make_interval(days => ${days})
        order by evaluation_id, benchmark_index, attempt, container, seq limit ${limit}
        for update skip locked
      )
      returning evaluation_id, ${keptBytes(db)} as kept
    ), job as materialized (
      -- Locked in the order in which everybody locks jobs.
      select id from evalhub.evaluations where id in (select evaluation_id from gone) order by id for no key update
    ), freed as (
      update evalhub.evaluations as evaluation set stored_bytes = stored_bytes - kept
      from job, (select evaluation_id, sum(kept) as kept from gone group by evaluation_id) as sums
      where evaluation.id = job.id and sums.evaluation_id = job.id
    )
    select count(*)::int as count from gone`
  return row?.count ?? 0
}

/**
 * Takes up to `limit` jobs away that ended more than `days` ago, as a hard delete does: no read shows them, and the next passes of the bridge
 * remove what belongs to them. Answers how many.
 */
export async function expireEvaluations(db: Db, days: number, limit: number): Promise<number> {
  const { count } = await db`
    update evalhub.evaluations set deleted_at = now() where id in (
      select id from evalhub.evaluations
      where id < ${firstIdOf(db, days)} and finished_at < now() - make_interval(days => ${days}) and deleted_at is null
      order by id limit ${limit}
      for update skip locked
    )`
  return count
}
