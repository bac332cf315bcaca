import { connect, type Pool } from '#db/client.ts'
import { syncCatalogue } from '#db/commands/sync-catalogue.ts'
import { lockHub } from '#db/hub-lock.ts'
import { migrate } from '#db/migrate.ts'
import { readCatalogue } from '#k8s-bridge/catalogue-sync.ts'
import { SHIPPED_CATALOGUE } from '#k8s-bridge/shipped-catalogue.ts'
import { startPostgres } from './postgres.ts'

export type HubDatabaseOptions = {
  dataDir: string
  /** The operator's catalogues, in order. */
  catalogues: string[]
  /** Undefined: the embedded database. */
  databaseUrl?: string
  /** Told, a line at a time, what a user may want to know. */
  log: (message: string) => void
  /** Called if this process can no longer be sure to be the only one on the database: it must stop. */
  onLockLost: () => void
}

/**
 * The database of a hub: started if it is the embedded one, kept from other hubs, migrated, and with the catalogue.
 *
 * What is opened is put on `stack`, whose disposal ends it. Throws one line; the catalogue's mistakes are found before anything is started.
 */
export async function openHubDatabase(options: HubDatabaseOptions, stack: AsyncDisposableStack): Promise<{ url: string; db: Pool }> {
  const { dataDir, log, onLockLost } = options
  const catalogue = await readCatalogue([SHIPPED_CATALOGUE, ...options.catalogues])
  const postgres = options.databaseUrl === undefined ? await startPostgres({ dataDir, log }) : undefined
  const url = options.databaseUrl ?? postgres?.url ?? ''
  const lock = await lockHub(url, onLockLost)
  // Only the holder of the lock may stop the server: without it, another hub is using it.
  stack.defer(() => postgres?.stop())
  stack.defer(() => lock.release())

  const db = connect(url)
  stack.defer(() => db.end({ timeout: 5 }))
  await migrate(db)
  await syncCatalogue(db, catalogue)
  return { url, db }
}
