import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import type { RunSpec } from '#shared/domain/run-spec.ts'
import type { EvaluationJobConfig } from '#shared/models/evaluation.ts'
import type { Db, Pool } from '../client.ts'
import { json } from '../json.ts'
import { lookUpByIndex } from '../look-up.ts'
import { lastingWait, type LastingWait } from '../queries/waiting.ts'

/** A run that its holder may launch until the lease runs out. */
export type Claim = AttemptKey & {
  queueId: number
  tenant: string
  /** Claims of this row so far, this one included. */
  tries: number
  /** When the row had become due, in milliseconds since 1970 by the database's clock. */
  dueAtMs: number
  /** Attempts of the run that ended because memory ran out: each asks for more. */
  oomFailures: number
  /** Why it could not be launched before. */
  waiting: LastingWait | null
  spec: RunSpec
  request: EvaluationJobConfig
}

/** What a claim has seen of the queue, for the next claim to go on from. Nobody else's to read; forgetting it costs one look at everything. */
export type Look = {
  snapshot: string
  /** Where each tenant's rows that are there begin, as `(due_at, id)`: to the microsecond, so as text. */
  tenants: readonly { tenant: string; due_at: string; id: number }[]
  under_way: readonly { tenant: string; total: number }[]
  /** Rows that were leased. */
  leased: readonly number[]
}

type Options = {
  /** Name of the bridge; nobody else's. */
  holder: string
  /** Rows at most. */
  limit: number
  /** Runs under way at once, those of this claim included; absent means any number. */
  limits?: { perTenant: number; total: number }
  /** Length of the lease; at most 10. */
  leaseSeconds: number
  /** What the last claim has seen; absent means to look at everything. */
  since?: Look | undefined
}

/** More than there can be, and a 32-bit integer. */
const UNLIMITED = { perTenant: 1e9, total: 1e9 }

/**
 * Leases up to `limit` due rows to `holder`: in each tenant the oldest first, and among tenants the one with the fewest runs under way,
 * so that a large job of one never holds up a small one of another.
 *
 * Claims take turns, so two bridges never hold one row, and the counts that fairness rests on are true. Until its lease runs out a row is
 * not due; then it is again, for anyone, with its attempt unchanged.
 *
 * With `since` it answers the same, and reads only what may have changed: while some session holds an old snapshot, the database keeps all that has
 * left queue and attempts, and whoever begins at their beginning steps over it.
 */
export async function claimLaunches(
  db: Pool,
  { holder, limit, limits, leaseSeconds, since }: Options,
): Promise<{ claims: Claim[]; look: Look }> {
  const { perTenant, total } = limits ?? UNLIMITED
  return db.begin(async (tx) => {
    // The lock is taken by a statement of its own: the next one sees what the claim before us committed.
    await Promise.all([since && lookUpByIndex(tx), tx`select pg_advisory_xact_lock(hashtextextended('evalhub claim', 0))`])
    const [answer] = await tx<{ claims: Claim[]; look: Look }[]>`
      with ${since ? changesSince(tx, since) : everything(tx)}, busy as (
        select tenant, coalesce(under_way.total, 0) + coalesce(leased.total, 0) as total
        from under_way full join (select tenant, count(*) as total from leases group by tenant) as leased using (tenant)
      ), due as (
        select tenants.tenant, due.*, row_number() over turns as nth, coalesce(busy.total, 0) + row_number() over turns as turn
        from tenants left join busy using (tenant)
        cross join lateral (
          select id, due_at from evalhub.launch_queue
          where tenant = tenants.tenant and due_at <= statement_timestamp() and (due_at, id) >= (tenants.due_at, tenants.id)
          order by due_at, id limit ${limit}
        ) as due
        window turns as (partition by tenant order by due.due_at, due.id)
      ), free as (
        -- Rows that a cancel is taking away are skipped, never waited for: it may wait for us.
        select id, due_at from evalhub.launch_queue
        where id in (
          select id from due where turn <= ${perTenant}
          order by turn, due_at, id
          limit least(${limit}::bigint, greatest(0, ${total} - (select coalesce(sum(total), 0) from busy)))
        )
        for update skip locked
      ), claimed as (
        update evalhub.launch_queue as queue
        set lease_holder = ${holder}, tries = tries + 1, changed_in = pg_current_xact_id(),
          lease_expires_at = statement_timestamp() + make_interval(secs => ${leaseSeconds}),
          due_at = statement_timestamp() + make_interval(secs => ${leaseSeconds})
        from free, evalhub.evaluations as evaluation, evalhub.runs as run
        where queue.id = free.id and evaluation.id = queue.evaluation_id
          and run.evaluation_id = queue.evaluation_id and run.benchmark_index = queue.benchmark_index
        returning queue.id as "queueId", queue.tenant, queue.evaluation_id as "evaluationId", queue.benchmark_index as "benchmarkIndex",
          queue.attempt, queue.tries, (extract(epoch from free.due_at) * 1000)::float8 as "dueAtMs", run.spec, evaluation.request,
          ${lastingWait(tx)},
          (select count(*)::int from evalhub.attempts as attempt where attempt.evaluation_id = queue.evaluation_id
            and attempt.benchmark_index = queue.benchmark_index and attempt.failure_class = 'oom') as "oomFailures"
      ), position as (
        -- Where the next look begins: what is due and was left, else what is due and was not read, else what is not due yet.
        select distinct on (tenant) tenant, due_at, id from (
          select tenant, due_at, id from due where id not in (select "queueId" from claimed)
          union all
          select tenant, due_at, id from due where nth = ${limit}
          union all
          select tenant, statement_timestamp(), 0 from tenants where tenant not in (select tenant from due where nth = ${limit})
        ) as next
        order by tenant, due_at, id
      )
      select (select coalesce(json_agg(claimed), '[]') from claimed) as claims,
        json_build_object(
          'snapshot', pg_current_snapshot()::text,
          'tenants', (select coalesce(json_agg(position), '[]') from position),
          'under_way', (select coalesce(json_agg(under_way), '[]') from under_way),
          'leased', (select coalesce(json_agg(id), '[]') from leases)
        ) as look`
    if (!answer) throw new Error('a claim answered nothing')
    return answer
  })
}

/** Tenants with where their rows begin, their runs under way, and the rows that are leased, read from the tables' beginnings. */
const everything = (tx: Db) => tx`
  tenants as (
    -- No walk along the index: in the order of the table, what has left it costs least.
    select tenant, min(due_at) as due_at, 0::bigint as id from evalhub.launch_queue group by tenant
  ), under_way as (
    select evaluation.tenant, count(*) as total
    from evalhub.attempts as attempt join evalhub.evaluations as evaluation on evaluation.id = attempt.evaluation_id
    where attempt.ended_at is null
    group by evaluation.tenant
  ), leases as (
    select id, tenant from evalhub.launch_queue where lease_expires_at > statement_timestamp()
  )`

/**
 * The same from what was seen, and from what transactions wrote that were not seen: those that had not begun, and those that were under way, however
 * late they committed. What was seen and deleted since is missed in no count but that of attempts, which then is too high until all is read again.
 */
const changesSince = (tx: Db, { snapshot, tenants, under_way, leased }: Look) => {
  const now = tx`pg_snapshot_xmax(pg_current_snapshot())`
  // A restored database has rows of another server's transactions, which may yet be to come on this one: the look at everything has seen them.
  const began = tx`changed_in >= pg_snapshot_xmax(${snapshot}::pg_snapshot) and changed_in < ${now}`
  return tx`
  unseen as (
    select xid from pg_snapshot_xip(${snapshot}::pg_snapshot) as xid
  ), changed as (
    select id, tenant, due_at, lease_expires_at from evalhub.launch_queue where ${began}
    union all
    select id, tenant, due_at, lease_expires_at from unseen join evalhub.launch_queue on changed_in = xid
  ), tenants as (
    select distinct on (tenant) tenant, due_at, id from (
      select * from jsonb_to_recordset(${json(tx, tenants)}) as seen (tenant text, due_at timestamptz, id bigint)
      union all
      select tenant, due_at, id from changed
    ) as start
    order by tenant, due_at, id
  ), changed_attempts as (
    select evaluation_id, ended_at, launched_in from evalhub.attempts where ${began}
    union all
    select evaluation_id, ended_at, launched_in from unseen join evalhub.attempts on changed_in = xid
  ), under_way as (
    select tenant, sum(total) as total from (
      select * from jsonb_to_recordset(${json(tx, under_way)}) as seen (tenant text, total bigint)
      union all
      select evaluation.tenant,
        case when ended_at is null then 1
          when launched_in >= ${now} or pg_visible_in_snapshot(launched_in, ${snapshot}::pg_snapshot) then -1 else 0 end
      from changed_attempts join evalhub.evaluations as evaluation on evaluation.id = evaluation_id
    ) as count
    group by tenant having sum(total) > 0
  ), leases as (
    select id, tenant from evalhub.launch_queue
    where id in (select value::bigint from jsonb_array_elements_text(${json(tx, leased)})) and lease_expires_at > statement_timestamp()
    union
    select id, tenant from changed where lease_expires_at > statement_timestamp()
  )`
}
