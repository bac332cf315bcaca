import { connect } from '#db/client.ts'
import { migrate } from '#db/migrate.ts'
import { createLog } from '#shared/log.ts'
import { syncCatalogueFrom } from './catalogue-sync.ts'
import { readMigrateConfig, type MigrateConfig } from './config.ts'
import { SHIPPED_CATALOGUE } from './shipped-catalogue.ts'

/** `npm run migrate`: brings the database to this release's tables, then to its catalogue. Any number of these at once will do. */

async function run({ databaseUrl, catalogues }: MigrateConfig): Promise<void> {
  const log = createLog({ write: (line) => process.stdout.write(`${line}\n`), now: () => new Date() })
  const db = connect(databaseUrl, { max: 1 })
  try {
    await migrate(db)
    await syncCatalogueFrom(db, [SHIPPED_CATALOGUE, ...catalogues], log)
  } finally {
    await db.end({ timeout: 5 })
  }
}

try {
  await run(readMigrateConfig())
  process.stdout.write('The database is up to date\n')
} catch (error) {
  process.stderr.write(`evalhub migrate: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
