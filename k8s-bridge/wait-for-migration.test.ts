import { randomUUID } from 'node:crypto'
import { describe, expect, onTestFinished, vi } from 'vitest'
import { connect } from '#db/client.ts'
import { withDatabase } from '#db/database-url.ts'
import { migrate } from '#db/migrate.ts'
import { MIGRATIONS } from '#db/migration-names.ts'
import { test as base } from '#db/test-db.ts'
import { migrateToOlder } from '#db/test-older-schema.ts'
import { waitForMigration } from './wait-for-migration.ts'

const test = base.extend('empty', async ({ databaseUrl, db }, { onCleanup }) => {
  const name = `evalhub_${randomUUID().replaceAll('-', '')}`
  await db`create database ${db(name)}`
  const empty = connect(withDatabase(databaseUrl, name), { max: 2 })
  onCleanup(async () => {
    await empty.end({ timeout: 1 })
    await db`drop database ${db(name)} with (force)`
  })
  return empty
})

/** Begins to wait; `said` is what it has told. */
function begin(db: Parameters<typeof waitForMigration>[0]) {
  const said: string[] = []
  const stopping = new AbortController()
  onTestFinished(() => stopping.abort())
  return { said, stopping, waiting: waitForMigration(db, { onWaiting: (why) => said.push(why), intervalMs: 10, signal: stopping.signal }) }
}

describe('waitForMigration', () => {
  test('goes on at once, and says nothing, where all migrations are there', async ({ db }) => {
    const { said, waiting } = begin(db)
    expect(await waiting).toBe(true)
    expect(said).toEqual([])
  })

  test('says once what is missing, and goes on when the last of it is there', async ({ empty }) => {
    const { said, waiting } = begin(empty)
    await vi.waitFor(() => expect(said).toHaveLength(1))
    await migrateToOlder(empty, MIGRATIONS.length - 1)
    await migrate(empty)
    expect(await waiting).toBe(true)
    expect(said).toEqual([expect.stringMatching(/lacks \d+ of the \d+ migrations of this release: 0000_init to .*npm run migrate/)])
  })

  test('bears a server that is restarted while it waits', async ({ empty, db }) => {
    const { said, waiting } = begin(empty)
    await vi.waitFor(() => expect(said).toHaveLength(1))
    const [own] = await empty<{ name: string }[]>`select current_database() as name`
    await db`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${own!.name}`
    await migrate(empty)
    expect(await waiting).toBe(true)
  })

  test('ends when it is told to', async ({ empty }) => {
    const { said, stopping, waiting } = begin(empty)
    await vi.waitFor(() => expect(said).toHaveLength(1))
    stopping.abort()
    expect(await waiting).toBe(false)
  })

  test('rejects where there is no database at all', async () => {
    const nowhere = connect('postgres://nobody@127.0.0.1:1/none', { max: 1 })
    onTestFinished(() => nowhere.end())
    await expect(begin(nowhere).waiting).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})
