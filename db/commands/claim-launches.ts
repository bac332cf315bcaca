import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import type { RunSpec } from '#shared/domain/run-spec.ts'
import type { EvaluationJobConfig } from '#shared/models/evaluation.ts'
import type { Pool } from '../client.ts'
import { json } from '../json.ts'
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

type Options = {
  /** Name of the bridge; nobody else's. */
  holder: string
  /** Rows at most. */
  limit: number
  /** Runs under way at once, those of this claim included; absent means any number. */
  limits?: { perTenant: number; total: number }
  /** Length of the lease; at most 10. */
  leaseSeconds: number
  /** By tenant: rows that became due earlier (milliseconds since 1970) are not looked at. Absent means all. */
  since: Readonly<Record<string, number>>
}

/** More than there can be, and a 32-bit integer. */
const UNLIMITED = { perTenant: 1e9, total: 1e9 }

/**
 * Leases up to `limit` due rows to `holder`: in each tenant the oldest first, and among tenants the one with the fewest runs under way,
 * so that a large job of one never holds up a small one of another.
 *
 * Claims take turns, so two bridges never hold one row, and the counts that fairness rests on are true. Until its lease runs out a row is
 * not due; then it is again, for anyone, with its attempt unchanged.
 */
export async function claimLaunches(db: Pool, { holder, limit, limits, leaseSeconds, since }: Options): Promise<Claim[]> {
  const { perTenant, total } = limits ?? UNLIMITED
  return db.begin(async (tx) => {
    // The lock is taken by a statement of its own: the next one sees what the claim before us committed.
    await tx`select pg_advisory_xact_lock(hashtextextended('evalhub claim', 0))`
    return tx<Claim[]>`
      with recursive tenants as (
        (select tenant from evalhub.launch_queue order by tenant limit 1)
        union all
        select (select tenant from evalhub.launch_queue where tenant > tenants.tenant order by tenant limit 1)
        from tenants where tenants.tenant is not null
      ), under_way as (
        select evaluation.tenant, count(*) as total
        from evalhub.attempts as attempt join evalhub.evaluations as evaluation on evaluation.id = attempt.evaluation_id
        where attempt.ended_at is null
        group by evaluation.tenant
      ), leased as (
        -- A range of an index of its own, which the dead entries of earlier leases lie before.
        select tenant, count(*) as total from evalhub.launch_queue where lease_expires_at > statement_timestamp() group by tenant
      ), busy as (
        select tenant, coalesce(under_way.total, 0) + coalesce(leased.total, 0) as total from under_way full join leased using (tenant)
      ), due as (
        select due.*, coalesce(busy.total, 0) + row_number() over (partition by tenant order by due.due_at, due.id) as turn
        from tenants left join busy using (tenant)
        cross join lateral (
          select id, due_at from evalhub.launch_queue
          where tenant = tenants.tenant and due_at <= statement_timestamp()
            and due_at >= coalesce(to_timestamp((${json(tx, since)}::jsonb ->> tenants.tenant)::float8 / 1000), '-infinity')
          order by due_at, id limit ${limit}
        ) as due
      ), free as (
        -- Rows that a cancel is taking away are skipped, never waited for: it may wait for us.
        select id, due_at from evalhub.launch_queue
        where id in (
          select id from due where turn <= ${perTenant}
          order by turn, due_at, id
          limit least(${limit}::bigint, greatest(0, ${total} - (select coalesce(sum(total), 0) from busy)))
        )
        for update skip locked
      )
      update evalhub.launch_queue as queue
      set lease_holder = ${holder}, tries = tries + 1,
        lease_expires_at = statement_timestamp() + make_interval(secs => ${leaseSeconds}),
        due_at = statement_timestamp() + make_interval(secs => ${leaseSeconds})
      from free, evalhub.evaluations as evaluation, evalhub.runs as run
      where queue.id = free.id and evaluation.id = queue.evaluation_id
        and run.evaluation_id = queue.evaluation_id and run.benchmark_index = queue.benchmark_index
      returning queue.id as "queueId", queue.tenant, queue.evaluation_id as "evaluationId", queue.benchmark_index as "benchmarkIndex",
        queue.attempt, queue.tries, (extract(epoch from free.due_at) * 1000)::float8 as "dueAtMs", run.spec, evaluation.request,
        ${lastingWait(tx)},
        (select count(*)::int from evalhub.attempts as attempt where attempt.evaluation_id = queue.evaluation_id
          and attempt.benchmark_index = queue.benchmark_index and attempt.failure_class = 'oom') as "oomFailures"`
  })
}
