import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Db, Pool } from './client.ts'

const shipped = fileURLToPath(new URL('migrations', import.meta.url))

/** What drizzle-kit writes beside its files: their order. */
const Journal = z.object({ entries: z.array(z.object({ tag: z.string() })) })

type Migration = { name: string; hash: string; statements: string }

/**
 * Brings the database to the newest schema; a database that has it is left as it is.
 *
 * The files of `directory` are applied in the order of its `meta/_journal.json`, each in a transaction of its own, so that
 * one that fails leaves nothing behind. Any number of processes may call this at once: each file is applied once.
 * Throws if a file that was applied earlier has changed since.
 */
export async function migrate(sql: Pool, { directory = shipped }: { directory?: string } = {}): Promise<void> {
  for (const migration of await migrationsOf(directory)) {
    await sql.begin(async (tx) => {
      // Held to the end of the transaction: whoever comes next sees the file as applied.
      await tx`select pg_advisory_xact_lock(hashtextextended('evalhub migrate', 0))`
      await applyOnce(tx, migration)
    })
  }
}

async function migrationsOf(directory: string): Promise<Migration[]> {
  const journal = Journal.parse(JSON.parse(await readFile(`${directory}/meta/_journal.json`, 'utf8')))
  return Promise.all(
    journal.entries.map(async ({ tag: name }) => {
      const statements = await readFile(`${directory}/${name}.sql`, 'utf8')
      return { name, statements, hash: createHash('sha256').update(statements).digest('hex') }
    }),
  )
}

async function applyOnce(tx: Db, { name, hash, statements }: Migration): Promise<void> {
  const applied = await appliedHash(tx, name)
  if (applied === hash) return
  if (applied !== undefined) {
    throw new Error(`Migration ${name} has changed since it was applied to this database: restore the file and add a new migration instead`)
  }
  try {
    // One message with all statements: the breakpoint marks between them are SQL comments.
    await tx.unsafe(statements).simple()
  } catch (cause) {
    throw new Error(`Migration ${name} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  await record(tx, name, hash)
}

async function appliedHash(tx: Db, name: string): Promise<string | undefined> {
  const [table] = await tx<{ exists: boolean }[]>`select to_regclass('evalhub.migrations') is not null as exists`
  if (!table?.exists) return undefined
  const [row] = await tx<{ hash: string }[]>`select hash from evalhub.migrations where name = ${name}`
  return row?.hash
}

/** Makes its table after the file has run, because the first file is the one that creates the schema. */
async function record(tx: Db, name: string, hash: string): Promise<void> {
  await tx`create schema if not exists evalhub`
  await tx`
    create table if not exists evalhub.migrations (
      name text primary key,
      hash text not null,
      applied_at timestamptz not null default now()
    )`
  await tx`insert into evalhub.migrations (name, hash) values (${name}, ${hash})`
}
