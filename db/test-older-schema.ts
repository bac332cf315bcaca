import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Pool } from './client.ts'
import { migrate } from './migrate.ts'
import { MIGRATIONS } from './migration-names.ts'

/** Brings an empty database to the schema of an older release: that of the first `count` of the migrations. */
export async function migrateToOlder(db: Pool, count: number): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'evalhub-older-'))
  const names = MIGRATIONS.slice(0, count)
  await mkdir(join(directory, 'meta'))
  await writeFile(join(directory, 'meta/_journal.json'), JSON.stringify({ entries: names.map((tag) => ({ tag })) }))
  await Promise.all(names.map((name) => cp(join(import.meta.dirname, `migrations/${name}.sql`), join(directory, `${name}.sql`))))
  await migrate(db, { directory })
  await rm(directory, { recursive: true })
}
