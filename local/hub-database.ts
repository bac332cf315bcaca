import { connect, type Pool } from '#db/client.ts'
import { databaseComplaint } from '#db/database-complaint.ts'
import { lockHub } from '#db/hub-lock.ts'
import { migrate } from '#db/migrate.ts'
import { followCatalogue } from '#k8s-bridge/catalogue-sync.ts'
import { missingCatalogues } from '#k8s-bridge/read-catalogue.ts'
import { SHIPPED_CATALOGUE } from '#k8s-bridge/shipped-catalogue.ts'
import type { Log } from '#shared/log.ts'
import { startPostgres } from './postgres.ts'

export type HubDatabaseOptions = {
  dataDir: string
  /** The operator's catalogues, in order. */
  catalogues: string[]
  /** Undefined: the embedded database. */
  databaseUrl?: string
  log: Log
  /** Called if this process can no longer be sure to be the only one on the database: it must stop. */
  onLockLost: () => void
}

/**
 * The database of a hub: started if it is the embedded one, kept from other hubs, migrated, and with the catalogue, whose changes it follows.
 *
 * What is opened is put on `stack`, whose disposal ends it. Throws a line for each mistake.
 */
export async function openHubDatabase(options: HubDatabaseOptions, stack: AsyncDisposableStack): Promise<{ url: string; db: Pool }> {
  const { dataDir, log, onLockLost } = options
  const [missing] = await missingCatalogues(options.catalogues)
  if (missing !== undefined) throw new Error(`The catalogue ${missing} has neither a folder providers nor a folder collections`)
  const startOptions = { dataDir, log: (message: string) => log.info(message) }
  const postgres = options.databaseUrl === undefined ? await startPostgres(startOptions) : undefined
  const url = options.databaseUrl ?? postgres?.url ?? ''
  const lock = await lockHub(url, onLockLost).catch((cause: unknown) => {
    const complaint = options.databaseUrl === undefined ? undefined : databaseComplaint(cause, { url, setting: 'DATABASE_URL' })
    throw complaint === undefined ? cause : new Error(complaint, { cause })
  })
  // Only the holder of the lock may stop the server: without it, another hub is using it.
  stack.defer(() => postgres?.stop())
  stack.defer(() => lock.release())

  const db = connect(url)
  stack.defer(() => db.end({ timeout: 5 }))
  await migrate(db)
  const following = await followCatalogue(db, [SHIPPED_CATALOGUE, ...options.catalogues], { log })
  stack.defer(() => following.stop())
  return { url, db }
}
