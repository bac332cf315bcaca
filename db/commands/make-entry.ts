import { quotaExceeded, type Quotas } from '#shared/domain/quota.ts'
import type { Db } from '../client.ts'
import type { Scope } from '../scope.ts'

/**
 * Makes one more provider or collection of a tenant, and refuses it with `quota_exceeded` if the tenant has as many as it may. In a transaction, which
 * is undone then: it is judged when it is made, since others of the tenant wait from there to the end, and to make it may take seconds.
 */
export async function makeEntry<Item>(tx: Db, { tenant }: Scope, quotas: Quotas | undefined, make: () => Promise<Item>): Promise<Item> {
  const allowed = quotas?.catalogueEntries ?? Infinity
  if (!Number.isFinite(allowed)) return make()
  const requireRoom = async (own: number) => {
    const used = (await countEntries(tx, tenant)) - own
    if (used >= allowed) throw quotaExceeded({ quota: 'catalogue_entries', used, asked: 1, allowed, waitSeconds: 0 })
  }
  await requireRoom(0)
  const item = await make()
  // A row is locked by writing it, also one that was not there.
  await tx`
    insert into evalhub.submit_rates as rate (tenant, minute, jobs) values (${tenant}, '-infinity', 0)
    on conflict (tenant) do update set jobs = rate.jobs`
  await requireRoom(1)
  return item
}

async function countEntries(tx: Db, tenant: string): Promise<number> {
  const [row] = await tx<{ count: number }[]>`
    select (select count(*) from evalhub.providers where tenant = ${tenant} and source = 'api')
      + (select count(*) from evalhub.collections where tenant = ${tenant} and source = 'api') as count`
  return row?.count ?? 0
}
