import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
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

describe('functions, bridge and migration', () => {
  test.for([
    ['functions/server.ts', 'npm run start:functions', 'IDENTITY_MODE'],
    ['k8s-bridge/main.ts', 'npm run start:bridge', 'RUNTIME'],
    ['k8s-bridge/migrate.ts', 'npm run migrate', 'CATALOGUE_DIRS'],
  ] as const)('%s says with --help what it is, what it reads and where more is said', async ([entry, command, setting]) => {
    const { code, stdout, stderr } = await runEntry(entry, {}, ['--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(`Usage: ${command}\n`)
    expect(stdout).toMatch(/^ {2}DATABASE_URL, DB_URL \(database\.url\): the database/m)
    expect(stdout).toMatch(new RegExp(`^ {2}${setting} \\(`, 'm'))
    expect(stdout).toContain('Documentation: docs/operation.md')
  })

  test.for([
    ['k8s-bridge/main.ts', { RUNTIME: 'local', IDENTITY_MODE: 'none' }],
    ['k8s-bridge/migrate.ts', {}],
  ] as const)('%s says in one line which database does not answer, and no password', async ([entry, env]) => {
    const { code, stderr } = await runEntry(entry, { DATABASE_URL: 'postgres://ann:hidden@127.0.0.1:1/hub', ...env })
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^evalhub \w+: The database that DATABASE_URL names, 127\.0\.0\.1:1\/hub, does not answer: connect ECONNREFUSED .*\n$/,
    )
  })

  test('functions start without their database, and say which it is', async () => {
    const functions = await entries.start('functions/server.ts', {
      DATABASE_URL: 'postgres://ann:hidden@127.0.0.1:1/hub',
      IDENTITY_MODE: 'none',
    })
    const said = expect.stringMatching(/^The database that DATABASE_URL names, 127\.0\.0\.1:1\/hub, does not answer: /)
    await vi.waitFor(() => expect(functions.lines()).toContainEqual(expect.objectContaining({ level: 'warn', message: said })))
    expect(JSON.stringify(functions.lines())).not.toContain('hidden')
  })
})
