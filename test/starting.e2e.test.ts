import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { connect, type Pool } from '#db/client.ts'
import { migrateToOlder } from '#db/test-older-schema.ts'
import type { Postgres } from '#local/postgres.ts'
import { runEntry } from './entry-process.ts'
import { ownEntries } from './own-entries.ts'
import { startTemporary } from './start-postgres.ts'

let server: Postgres
let db: Pool
const entries = ownEntries()

beforeAll(async () => {
  server = await startTemporary()
  db = connect(server.url, { max: 2 })
})
afterAll(async () => {
  await db.end()
  await server.stop()
})

// Guarantee: a bridge that is started before its migration is neither broken by it nor to be started again.
test('functions and bridge wait for the migration of an older schema, and go on by themselves', async () => {
  await db`create database older`
  const older = server.url.replace(/\/postgres$/, '/older')
  const tables = connect(older, { max: 1 })
  await migrateToOlder(tables, 5)
  await tables.end()
  const functions = await entries.start('functions/server.ts', { DATABASE_URL: older, IDENTITY_MODE: 'none' })
  expect((await fetch(`${String(functions.ready.url)}/readyz`)).status).toBe(503)
  const starting = entries.start('k8s-bridge/main.ts', {
    DATABASE_URL: older,
    RUNTIME: 'local',
    IDENTITY_MODE: 'none',
    DATA_DIR: entries.inFolder('data'),
  })
  // Until it has asked for what is not there.
  await vi.waitFor(
    async () => {
      const asked = await db`select from pg_stat_activity where datname = 'older' and query like '%from evalhub.migrations%'`
      expect(asked.length).toBeGreaterThan(1)
    },
    { timeout: 40_000 },
  )
  expect(await runEntry('k8s-bridge/migrate.ts', { DATABASE_URL: older })).toMatchObject({ code: 0 })
  const bridge = await starting
  expect(bridge.lines().filter(({ message }) => message.startsWith('This bridge waits: The database lacks'))).toHaveLength(1)
  await vi.waitFor(async () => expect((await fetch(String(bridge.ready.metrics_url).replace('/metrics', '/readyz'))).status).toBe(200))
  expect((await fetch(`${String(functions.ready.url)}/readyz`)).status).toBe(200)
})
