import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { ProviderConfig } from '#shared/models/provider.ts'
import type { Pool } from '../client.ts'
import { createProvider } from '../commands/save-provider.ts'
import { openStore } from '../store.ts'
import { test } from '../test-db.ts'

/** A provider of a tenant whose runtime is `mib` long; answers its id. */
async function storeProvider(db: Pool, tenant: string, mib: number, benchmarks = 1): Promise<string> {
  const id = randomUUID()
  const runtime = { local: { command: 'x'.repeat(mib * 1024 * 1024) } }
  const named = Array.from({ length: benchmarks }, (_, at) => ({ id: `b${at}`, name: 'b' }))
  await createProvider(db, { tenant, user: '', everyTenant: false }, id, ProviderConfig.parse({ name: 'p', runtime, benchmarks: named }))
  return id
}

const request = (provider_id: string, benchmarks: number) => ({
  benchmarks: Array.from({ length: benchmarks }, (_, at) => ({ provider_id, id: `b${at}` })),
})

// Guarantee: a short request for many things that are long is refused before they are read, and by itself.
test('a job that names more long runtimes than are read is refused, and those that come with it are not', async ({ db, tenant }) => {
  const long = await Promise.all(Array.from({ length: 9 }, () => storeProvider(db, tenant, 2)))
  const short = await storeProvider(db, tenant, 0.001, 9)
  const { resolve } = openStore(db)
  const ask = (...ids: string[]) => resolve({ tenant, request: { benchmarks: ids.flatMap((id) => request(id, 1).benchmarks) } })
  const refusal = {
    code: 'request_validation_failed',
    message: expect.stringContaining('more than 16 MiB together: name fewer in one job'),
  }
  const [, refused, few, many] = await Promise.allSettled([
    ask(short),
    ask(...long),
    ask(...long.slice(2)),
    resolve({ tenant, request: request(short, 9) }),
  ])
  expect(refused).toMatchObject({ status: 'rejected', reason: refusal })
  expect(few).toMatchObject({ status: 'fulfilled', value: { found: { length: 7 } } })
  expect(many).toMatchObject({ status: 'fulfilled', value: { found: { length: 9 } } })
})

// Guarantee: what is read for a job does not grow with how often it names a provider.
test('benchmarks of one provider share its runtime, however long it is', async ({ db, tenant }) => {
  const long = await storeProvider(db, tenant, 2, 1000)
  const { found } = await openStore(db).resolve({ tenant, request: request(long, 1000) })
  expect(found).toHaveLength(1000)
  expect(new Set(found.map(({ runtime }) => runtime)).size).toBe(1)
})
