import { randomUUID } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { connect } from '#db/client.ts'
import { withDatabase } from '#db/database-url.ts'
import { migrate } from '#db/migrate.ts'
import { removePostgres } from '#local/postgres-home.ts'
import { startPostgres } from '#local/postgres.ts'
import type { Postgres } from '#local/postgres.ts'

/**
 * One server for the whole run, and on it the migrated database that every test file clones: the embedded PostgreSQL in a
 * temporary directory, or the server of `TEST_DATABASE_URL`, on which all is dropped again.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env.TEST_DATABASE_URL
  const server = given === undefined ? await startTemporary() : { url: given, stop: async () => {} }
  const template = `evalhub_template_${randomUUID().replaceAll('-', '')}`
  const sql = connect(server.url, { max: 1 })
  await sql`create database ${sql(template)}`
  const migrated = connect(withDatabase(server.url, template), { max: 1 })
  await migrate(migrated)
  await migrated.end()
  project.provide('postgres', { url: server.url, template })
  return async () => {
    await sql`drop database ${sql(template)} with (force)`
    await sql.end()
    await server.stop()
  }
}

/** A server of the embedded PostgreSQL in a directory of its own, which its `stop` removes. */
export async function startTemporary(): Promise<Postgres> {
  const dataDir = await mkdtemp(join(tmpdir(), 'evalhub-test-'))
  // Open to the uid that the server runs as when the tests run as root: otherwise it needs a copy of its programs.
  await chmod(dataDir, 0o711)
  const { url, stop } = await startPostgres({
    dataDir,
    log: () => {},
    // Nothing in it outlives the run.
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '200' },
  })
  return {
    url,
    stop: async () => {
      await stop()
      await removePostgres(dataDir)
      await rm(dataDir, { recursive: true })
    },
  }
}
