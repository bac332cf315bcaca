import type { Pool } from '#db/client.ts'
import { connect } from '#db/client.ts'
import { migrate } from '#db/migrate.ts'
import { test as onRunsServer } from '#db/test-db.ts'
import { appOn, callOn } from '#functions/test-app.ts'
import { syncTestCatalogue } from '#functions/test-catalogue.ts'
import { listen } from '#local/listen.ts'
import { startTemporary } from '../start-postgres.ts'

/** An API that answers over HTTP. */
export type Served = { /** Base, without a path. */ url: string; stop: () => Promise<void> }

export type Serve = (databaseUrl: string, db: Pool) => Promise<Served>

/** With a database of the embedded PostgreSQL, also where the run's server is another. */
export const onEmbedded =
  process.env.TEST_DATABASE_URL === undefined
    ? onRunsServer
    : // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern what a fixture needs
      onRunsServer.override('databaseUrl', async ({}, { onCleanup }) => {
        const server = await startTemporary()
        onCleanup(() => server.stop())
        const db = connect(server.url, { max: 1 })
        await migrate(db)
        await db.end()
        return server.url
      })

/** `call` asks what `serve` starts, over HTTP and for a tenant of the test's own. The database has the catalogue of the tests of routes. */
export const apiOf = (database: typeof onRunsServer, serve: Serve) =>
  database
    .extend('served', { scope: 'file' }, async ({ databaseUrl, db }, { onCleanup }) => {
      await syncTestCatalogue(db)
      const served = await serve(databaseUrl, db)
      onCleanup(() => served.stop())
      return served
    })
    .extend('call', async ({ served, tenant }) => callOn(overHttp(served.url), { 'X-Tenant': tenant, 'X-User': 'ann' }))

export type ApiTest = ReturnType<typeof apiOf>

/** Sends what `callOn` asks for to `base`. */
export const overHttp = (base: string) => ({
  request: (url: string, init: RequestInit) => fetch(base + url.slice('http://localhost'.length), init),
})

/** The API as Node serves it. */
export async function serveOnNode(_: string, db: Pool): Promise<Served> {
  const app = await appOn(db, { mode: 'none' })
  const { port, close } = await listen(app.fetch, { host: '127.0.0.1', port: 0 })
  return { url: `http://localhost:${port}`, stop: close }
}
