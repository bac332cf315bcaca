import { randomUUID } from 'node:crypto'
import { inject, test as base } from 'vitest'
import { connect } from './client.ts'
import { withDatabase } from './database-url.ts'

declare module 'vitest' {
  // oxlint-disable-next-line typescript/consistent-type-definitions -- vitest's own is merged with this one
  interface ProvidedContext {
    /** The run's server and the name of its migrated database, from test/start-postgres.ts. */
    postgres: { url: string; template: string }
  }
}

/**
 * `test` with a real database: each file has its own, cloned from a migrated template and dropped at its end; each test has
 * a tenant that no other test of the file uses. No wrapping transaction, since commands open their own.
 */
export const test = base
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern what a fixture needs
  .extend('databaseUrl', { scope: 'file' }, async ({}, { onCleanup }) => {
    const { url, template } = inject('postgres')
    const name = `evalhub_${randomUUID().replaceAll('-', '')}`
    const server = connect(url, { max: 1 })
    onCleanup(async () => {
      // Forced: a test that fails may leave connections open.
      await server`drop database if exists ${server(name)} with (force)`
      await server.end()
    })
    await server`create database ${server(name)} template ${server(template)}`
    return withDatabase(url, name)
  })
  .extend('db', { scope: 'file' }, async ({ databaseUrl }, { onCleanup }) => {
    const db = connect(databaseUrl)
    // A connection that a test has broken would be waited for without end, and the run with it.
    onCleanup(() => db.end({ timeout: 5 }))
    // A hub of its own: bridges of several files may share a cluster.
    await db`update evalhub.hub set id = gen_random_uuid()`
    return db
  })
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern what a fixture needs
  .extend('tenant', async ({}) => `tenant-${randomUUID()}`)
