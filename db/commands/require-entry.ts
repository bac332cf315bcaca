import { quotaExceeded, type Quotas } from '#shared/domain/quota.ts'
import type { Db } from '../client.ts'
import type { Scope } from '../scope.ts'

/**
 * Refuses with `quota_exceeded` one more provider or collection of a tenant that has as many as it may. In the transaction that creates it: others of
 * the tenant wait for its end.
 */
export async function requireEntry(tx: Db, { tenant }: Scope, { catalogueEntries: allowed }: Quotas): Promise<void> {
  if (!Number.isFinite(allowed)) return
  // A row is locked by writing it, also one that was not there.
  await tx`
    insert into evalhub.submit_rates as rate (tenant, minute, jobs) values (${tenant}, '-infinity', 0)
    on conflict (tenant) do update set jobs = rate.jobs`
  const [row] = await tx<{ used: number }[]>`
    select (select count(*) from evalhub.providers where tenant = ${tenant} and source = 'api')
      + (select count(*) from evalhub.collections where tenant = ${tenant} and source = 'api') as used`
  const used = row?.used ?? 0
  if (used >= allowed) throw quotaExceeded({ quota: 'catalogue_entries', used, asked: 1, allowed, waitSeconds: 0 })
}
