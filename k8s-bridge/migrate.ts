import { connect } from '#db/client.ts'
import { databaseComplaint } from '#db/database-complaint.ts'
import { migrate } from '#db/migrate.ts'
import { createLog } from '#shared/log.ts'
import { isHelpWanted, usageOf } from '#shared/usage.ts'
import { syncCatalogueFrom } from './catalogue-sync.ts'
import { MIGRATE_SETTINGS, readMigrateConfig, type MigrateConfig } from './config.ts'
import { SHIPPED_CATALOGUE } from './shipped-catalogue.ts'

/** `npm run migrate`: brings the database to this release's tables, then to its catalogue. Any number of these at once will do. */

const USAGE = usageOf({
  command: 'npm run migrate',
  about:
    'Brings the database to the tables of this release, then to its catalogue, and ends. Run it before a new release of functions and bridge.',
  settings: MIGRATE_SETTINGS,
  docs: ['docs/operation.md', 'docs/catalogue.md'],
})

async function run({ databaseUrl, databaseSetting, catalogues }: MigrateConfig): Promise<void> {
  const log = createLog({ write: (line) => process.stdout.write(`${line}\n`), now: () => new Date() })
  const db = connect(databaseUrl, { max: 1 })
  try {
    await migrate(db)
    await syncCatalogueFrom(db, [SHIPPED_CATALOGUE, ...catalogues], log)
  } catch (cause) {
    const complaint = databaseComplaint(cause, { url: databaseUrl, setting: databaseSetting })
    throw complaint === undefined ? cause : new Error(complaint, { cause })
  } finally {
    await db.end({ timeout: 5 })
  }
}

try {
  if (isHelpWanted(process.argv)) process.stdout.write(USAGE)
  else {
    await run(readMigrateConfig())
    process.stdout.write('The database is up to date\n')
  }
} catch (error) {
  process.stderr.write(`evalhub migrate: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
