import type { Excess, QuotaName, Quotas } from '#shared/domain/quota.ts'
import type { Db } from '../client.ts'

/** A row of `rejected`: the quota that a job was refused by. */
export type Refusal = { quota: Exclude<QuotaName, 'catalogue_entries'>; used: number; wait_seconds: number }

/**
 * Which jobs of the table expression `input` may be stored: as `accepted`, with their keys taken. With quotas also `rejected`: those that are refused,
 * and without a quota those whose key stands for another job.
 *
 * `input` has `at`, which is their order, `id`, `tenant`, `open_runs`, `stored_bytes`, `idempotency_key` and `body_hash`. Of those with one key the
 * first that is not refused is accepted and counts, and no other one, also if they are in statements of several processes at once.
 */
export const accepting = (db: Db, quotas: Quotas | undefined) => {
  const isAdmitted = quotas ? db`and id not in (select job_id from rejected)` : db``
  return db`${quotas ? judged(db, quotas) : db``}, claimed as (
      insert into evalhub.idempotency_keys (tenant, route, key, body_hash, resource_id)
      select tenant, 'jobs', idempotency_key, body_hash, id from input where idempotency_key is not null ${isAdmitted}
      order by tenant, idempotency_key, at
      on conflict do nothing
      returning resource_id
    ), accepted as (
      select * from input where (idempotency_key is null or id::text in (select resource_id from claimed)) ${isAdmitted}
    )`
}

/** Tenants are locked in their order, and before any key, so that nobody who has taken a key waits for a tenant. */
const judged = (db: Db, { openRuns, jobsPerMinute, storedBytes }: Quotas) => db`
  , asked as materialized (
    select tenant, array_agg(id order by at) as ids, array_agg(idempotency_key order by at) as keys,
      array_agg(open_runs order by at) as runs, array_agg(stored_bytes order by at) as bytes,
      sum(open_runs) as all_runs, sum(stored_bytes)::bigint as all_bytes
    from input group by tenant order by tenant
  ), rejected as materialized (
    select rejected.* from asked cross join lateral evalhub.admit(
      tenant, ids, keys, runs, bytes, all_runs, all_bytes,
      ${bound(openRuns)}::bigint, ${bound(jobsPerMinute)}::bigint, ${bound(storedBytes)}::bigint
    ) as rejected
  )`

const bound = (quota: number) => (Number.isFinite(quota) ? quota : null)

/** Why a job that takes so much was refused. */
export function refusalToExcess(job: Taken, { quota, used, wait_seconds: waitSeconds }: Refusal, quotas: Quotas): Excess {
  const bounds = {
    open_runs: { asked: job.runs, allowed: quotas.openRuns },
    jobs_per_minute: { asked: 1, allowed: quotas.jobsPerMinute },
    stored_bytes: { asked: job.bytes, allowed: quotas.storedBytes },
  }
  return { quota, used, ...bounds[quota], waitSeconds }
}

/** What a job takes of its tenant's quotas. */
type Taken = { runs: number; bytes: number }
