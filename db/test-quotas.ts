import type { Quotas } from '#shared/domain/quota.ts'
import { uuidV7Source } from '#shared/uuid-v7.ts'
import { expect } from 'vitest'
import type { Db, Pool } from './client.ts'
import type { Creation, NewEvaluation } from './commands/create-evaluation.ts'
import { specFor } from './test-evaluation.ts'

export const NO_QUOTAS: Quotas = { openRuns: Infinity, jobsPerMinute: Infinity, storedBytes: Infinity, catalogueEntries: Infinity }

/** More than a job that shares its statement with others has. */
export const LARGE = 2 * 1024 * 1024

export const newId = uuidV7Source({ now: Date.now, random: (bytes) => void crypto.getRandomValues(bytes) })

type Of = { id?: string; runs?: number; bytes?: number; key?: string }

/** A job to be submitted that takes so much of its tenant's quotas. */
export const newJob = (tenant: string, { id = newId(), runs = 1, bytes = 0, key }: Of = {}): NewEvaluation => ({
  id,
  scope: { tenant, user: 'ann', everyTenant: false },
  request: { name: 'n', model: { url: 'http://h', name: 'm' } },
  specs: Array.from({ length: runs }, () => specFor('true')),
  snapshots: bytes,
  footprint: 0,
  aggregateThreshold: 0.5,
  collectionUpdatedAt: null,
  idempotency: key === undefined ? undefined : { key, bodyHash: 'h' },
})

export const outcomeOf = (created: Creation) => (created === undefined ? 'known' : 'job' in created ? 'stored' : created.excess.quota)

/** What a tenant's quotas are judged by. */
export async function usageOf(db: Pool, tenant: string) {
  const [row] = await db<{ runs: number; bytes: number }[]>`
    select coalesce(sum(open_runs), 0)::float8 as runs, coalesce(sum(stored_bytes), 0)::float8 as bytes
    from evalhub.evaluation_counts where tenant = ${tenant}`
  return row
}

/** No other minute begins during a test: this one has not begun yet. */
export const stopClock = (db: Pool, tenant: string) => db`
  insert into evalhub.submit_rates (tenant, minute, jobs) values (${tenant}, now() + interval '1 hour', 0)`

/** Takes locks by `take` until the answer is called, which takes everything back. */
export async function holdUp(db: Pool, take: (tx: Db) => Promise<unknown>): Promise<() => Promise<void>> {
  const [taken, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const holding = db.begin(async (tx) => {
    await take(tx)
    taken.resolve()
    await released.promise
    throw new Error('taken back')
  })
  const isOver = holding.catch((error: unknown) => taken.reject(error))
  await taken.promise
  return async () => {
    released.resolve()
    await isOver
  }
}

/** To be taken by `holdUp`: whoever stores a job under one of these ids is held up where it does. */
export const holdIds = (tx: Db, tenant: string, ids: readonly string[]) => tx`
  insert into evalhub.evaluations (id, tenant, owner, name, tags, message, request, aggregate_threshold, footprint, deleted_at)
  select id::uuid, ${tenant}, '', 'n', '[]', '{}', '{}', 0.5, 0, now() from string_to_table(${ids.join()}, ',') as id`

/** To be taken by `holdUp`: whoever is judged by the tenant's quotas is held up, as if another one of the tenant were being judged. */
export const holdTenant = (tx: Db, tenant: string) => tx`update evalhub.submit_rates set jobs = jobs where tenant = ${tenant}`

/** Resolves when so many statements wait for somebody's lock. */
export async function untilWaiting(db: Pool, count: number): Promise<void> {
  const waiting = () => db`select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`
  await expect.poll(async () => (await waiting()).length).toBe(count)
}
