import { randomUUID } from 'node:crypto'
import { describe, expect } from 'vitest'
import { connect } from '#db/client.ts'
import { withDatabase } from '#db/database-url.ts'
import { openFairPool } from '#db/fair-pool.ts'
import { migrate } from '#db/migrate.ts'
import { MIGRATIONS } from '#db/migration-names.ts'
import { openStore } from '#db/store.ts'
import { test as base } from '#db/test-db.ts'
import { migrateToOlder } from '#db/test-older-schema.ts'
import { createLog } from '#shared/log.ts'
import { uuidV7Source } from '#shared/uuid-v7.ts'
import { createApp } from './app.ts'
import { findDocsFile } from './docs-files.ts'
import { callOn, JOB, MAX_BODY_BYTES, type Call } from './test-app.ts'
import { syncTestCatalogue } from './test-catalogue.ts'

const CATALOGUE_ENTRY = { name: 'mine', category: 'c', benchmarks: [{ id: 'first', provider_id: 'frame' }] }
const EVENT = { benchmark_status_event: { provider_id: 'frame', id: 'first', benchmark_index: 0, status: 'running' } }

/** `callOn(count)` asks the app on a new database with so many of the migrations. What it logs as an error is in `errors`. */
const test = base
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern what a fixture needs
  .extend('errors', async ({}): Promise<string[]> => [])
  .extend('open', async ({ databaseUrl, db, errors }, { onCleanup }) => {
    const ends: (() => Promise<unknown>)[] = []
    onCleanup(async () => {
      for (const end of ends.toReversed()) await end()
    })
    return async (count: number) => {
      const name = `evalhub_${randomUUID().replaceAll('-', '')}`
      await db`create database ${db(name)}`
      ends.push(() => db`drop database ${db(name)} with (force)`)
      const own = connect(withDatabase(databaseUrl, name), { max: 2 })
      ends.push(() => own.end())
      await migrateToOlder(own, count)
      const pool = openFairPool(withDatabase(databaseUrl, name), { statementMs: 10_000 })
      ends.push(() => pool.end())
      const store = openStore(pool, { openRuns: 1000, jobsPerMinute: 1000, storedBytes: 1e9, catalogueEntries: 100 })
      const app = createApp({
        storeOf: () => store,
        identity: { mode: 'none' },
        log: createLog({ write: (line) => void errors.push(line), now: () => new Date(), level: 'error' }),
        now: () => new Date(),
        newId: uuidV7Source({ now: Date.now, random: (bytes) => void crypto.getRandomValues(bytes) }),
        newRequestId: randomUUID,
        maxBodyBytes: MAX_BODY_BYTES,
        findDocsFile,
      })
      return { call: callOn(app, { 'X-Tenant': 'red', 'X-User': 'ann' }), own }
    }
  })

/** Every kind of thing that a route asks the database. */
const askAll = async (call: Call, id: string) => [
  await call('POST', '/jobs', JOB),
  await call('GET', '/jobs'),
  await call('GET', `/jobs/${id}`),
  await call('DELETE', `/jobs/${id}`),
  await call('GET', `/jobs/${id}/logs`),
  await call('GET', `/jobs/${id}/benchmarks/0/attempts`),
  await call('POST', `/jobs/${id}/events`, EVENT),
  await call('POST', '/batch/jobs/states', { ids: [id] }),
  await call('GET', '/providers'),
  await call('GET', '/collections'),
  await call('POST', '/providers', { name: 'mine' }),
  await call('POST', '/collections', CATALOGUE_ENTRY),
]

const missingFrom = (count: number) => MIGRATIONS.slice(count)

describe('on a database with only some of the migrations', () => {
  // Guarantee: nobody is sent to a process whose answers would be errors, and no error of theirs is taken for a bug.
  test.for(MIGRATIONS.map((_, count) => count))(
    'the first %i, it is not ready, and every answer is one, or says what to run',
    async (count, { open, errors }) => {
      const { call } = await open(count)
      const [first, last] = [missingFrom(count)[0], missingFrom(count).at(-1)]
      const ready = await call('GET', '//readyz')
      expect(ready).toMatchObject({ status: 503, body: { message_code: 'database_not_migrated' } })
      expect(ready.body.message).toContain(`${missingFrom(count).length} of the ${MIGRATIONS.length} migrations of this release: ${first}`)
      expect(ready.body.message).toContain(last)
      expect(ready.body.message).toContain('npm run migrate')
      const answers = await askAll(call, '019aaf00-0000-7000-8000-000000000000')
      expect(answers.filter(({ status }) => status >= 500 && status !== 503)).toEqual([])
      expect(answers.filter(({ status }) => status === 503).map(({ body }) => body.message)).toEqual(
        answers.filter(({ status }) => status === 503).map(() => ready.body.message),
      )
      if (count === 0) expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]))
      expect(errors).toEqual([])
    },
  )

  test('it is ready as soon as the rest is there, without a new start', async ({ open }) => {
    const { call, own } = await open(MIGRATIONS.length - 2)
    expect(await call('GET', '//readyz')).toMatchObject({ status: 503 })
    await migrate(own)
    await syncTestCatalogue(own)
    expect(await call('GET', '//readyz')).toMatchObject({ status: 200 })
    expect(await call('POST', '/jobs', JOB)).toMatchObject({ status: 202 })
  })
})

// Guarantee: while a release is rolled out, the one before it goes on on the tables of the new one.
test('a database with more migrations than this release knows is ready', async ({ open }) => {
  const { call, own } = await open(MIGRATIONS.length)
  await own`insert into evalhub.migrations (name, hash) values ('9999_later', 'h')`
  expect(await call('GET', '//readyz')).toMatchObject({ status: 200 })
})

test('a statement that is wrong on a database with all of them is a bug, and is logged', async ({ open, errors }) => {
  const { call, own } = await open(MIGRATIONS.length)
  await own`alter table evalhub.evaluations rename column message to said`
  expect(await call('GET', '/jobs')).toMatchObject({ status: 500, body: { message_code: 'internal_server_error' } })
  expect(errors).toHaveLength(1)
})
