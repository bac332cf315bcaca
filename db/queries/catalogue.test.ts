import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { ProviderConfig } from '#shared/models/provider.ts'
import type { Pool } from '../client.ts'
import { createProvider } from '../commands/save-provider.ts'
import { openStore } from '../store.ts'
import { test } from '../test-db.ts'

/** A provider of a tenant whose runtime is `mib` long; answers its id. */
async function storeProvider(db: Pool, tenant: string, mib: number, benchmarks: number): Promise<string> {
  const id = randomUUID()
  const runtime = { local: { command: 'x'.repeat(mib * 1024 * 1024) } }
  const named = Array.from({ length: benchmarks }, (_, at) => ({ id: `b${at}`, name: 'b' }))
  await createProvider(db, { tenant, user: '', everyTenant: false }, id, ProviderConfig.parse({ name: 'p', runtime, benchmarks: named }))
  return id
}

const request = (provider_id: string, benchmarks: number) => ({
  benchmarks: Array.from({ length: benchmarks }, (_, at) => ({ provider_id, id: `b${at}` })),
})

// Guarantee: a short request for many copies of something long is refused before they are made, and by itself.
test('a job that asks for more copies of a long runtime than are read is refused, and those that come with it are not', async ({
  db,
  tenant,
}) => {
  const [long, short] = [await storeProvider(db, tenant, 2, 9), await storeProvider(db, tenant, 0.001, 9)]
  const { resolve } = openStore(db)
  const ask = (id: string, benchmarks: number) => resolve({ tenant, request: request(id, benchmarks) })
  const refusal = { code: 'request_validation_failed', message: expect.stringContaining('more than 16 MiB: name fewer in one job') }
  const [, , refused, few, many] = await Promise.allSettled([ask(short, 1), ask(short, 2), ask(long, 9), ask(long, 7), ask(short, 9)])
  expect(refused).toMatchObject({ status: 'rejected', reason: refusal })
  expect(few).toMatchObject({ status: 'fulfilled', value: { found: { length: 7 } } })
  expect(many).toMatchObject({ status: 'fulfilled', value: { found: { length: 9 } } })
})
