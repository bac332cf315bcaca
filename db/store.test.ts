import { expect } from 'vitest'
import { uuidV7Source } from '#shared/uuid-v7.ts'
import type { NewEvaluation } from './commands/create-evaluation.ts'
import { openStore } from './store.ts'
import { test } from './test-db.ts'
import { specFor } from './test-evaluation.ts'

const newId = uuidV7Source({ now: Date.now, random: (bytes) => void crypto.getRandomValues(bytes) })
const LARGE = 2 * 1024 * 1024

// Guarantee: who submits jobs that take seconds to store keeps nobody else's small job waiting.
const QUOTAS = { openRuns: 100, jobsPerMinute: 100, storedBytes: 1e9, catalogueEntries: 100 }
test.for([
  ['without quotas', undefined],
  ['by a tenant with quotas, which are not locked meanwhile', QUOTAS],
] as const)(
  'a small job is stored while as many large ones as are stored at once are held up, %s',
  async ([, quotas], { db, tenant, onTestFinished }) => {
    const { create } = openStore(db, quotas)
    const job = (snapshots: number, key?: string): NewEvaluation => ({
      id: newId(),
      scope: { tenant, user: '', everyTenant: false },
      request: { name: 'n', model: { url: 'http://h', name: 'm' } },
      specs: [specFor('true')],
      snapshots,
      aggregateThreshold: 0.5,
      collectionUpdatedAt: null,
      footprint: 4096,
      idempotency: key === undefined ? undefined : { key, bodyHash: '' },
    })
    const { promise: held, resolve: release } = Promise.withResolvers<void>()
    const { promise: taken, resolve: take } = Promise.withResolvers<void>()
    const holding = db.begin(async (tx) => {
      await tx`
      insert into evalhub.idempotency_keys (tenant, route, key, body_hash, resource_id)
      select ${tenant}, 'jobs', key, '', '' from unnest('{a,b}'::text[]) as key`
      take()
      await held
    })
    const waiting = async () => {
      const rows = await db`select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`
      return rows.length
    }
    onTestFinished(() => {
      release()
      return holding
    })
    await taken
    const large = [create(job(LARGE, 'a'))]
    await expect.poll(waiting).toBe(1)
    large.push(create(job(LARGE, 'b')))
    await expect.poll(waiting).toBe(2)
    expect(await create(job(0))).toMatchObject({ job: { status: { state: 'pending' } } })
    release()
    expect(await Promise.all(large)).toEqual([undefined, undefined])
  },
)
