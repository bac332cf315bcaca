import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { connect } from './client.ts'
import type { Pool } from './client.ts'
import { withDatabase } from './database-url.ts'
import { migrate } from './migrate.ts'
import { test as base } from './test-db.ts'

type Files = Record<string, string>

/** An empty database and a directory of migrations for each test. */
const test = base
  .extend('emptyUrl', async ({ databaseUrl, db, tenant }, { onCleanup }) => {
    await db`create database ${db(tenant)}`
    onCleanup(async () => {
      await db`drop database ${db(tenant)} with (force)`
    })
    return withDatabase(databaseUrl, tenant)
  })
  .extend('empty', async ({ emptyUrl }, { onCleanup }) => {
    const empty = connect(emptyUrl)
    onCleanup(() => empty.end())
    return empty
  })
  .extend('directory', async ({ tenant }, { onCleanup }) => {
    const directory = await mkdtemp(join(tmpdir(), `${tenant}-`))
    onCleanup(() => rm(directory, { recursive: true }))
    return directory
  })

const first = { '0000_init': 'create schema "evalhub";\n--> statement-breakpoint\ncreate table evalhub.log (line text);' }
const second = {
  ...first,
  '0001_one': "insert into evalhub.log values ('one');--> statement-breakpoint\ninsert into evalhub.log values ('two');",
}

describe('migrate', () => {
  test('applies what is new, in the order of the journal, and nothing twice', async ({ empty, directory }) => {
    await write(directory, first)
    await migrate(empty, { directory })
    await write(directory, second)
    await migrate(empty, { directory })
    await migrate(empty, { directory })

    expect(await lines(empty)).toEqual(['one', 'two'])
    expect(await empty`select name from evalhub.migrations order by applied_at`).toEqual([{ name: '0000_init' }, { name: '0001_one' }])
  })

  // Guarantee: a deployment may start any number of hubs at once.
  test('concurrent calls apply each file once', async ({ emptyUrl, empty, directory }) => {
    await write(directory, second)
    const processes = Array.from({ length: 5 }, () => connect(emptyUrl))
    await Promise.all(processes.map((sql) => migrate(sql, { directory })))
    await Promise.all(processes.map((sql) => sql.end()))

    expect(await lines(empty)).toEqual(['one', 'two'])
  })

  test('a file that fails leaves nothing of itself, and those before it', async ({ empty, directory }) => {
    await write(directory, { ...second, '0002_bad': "insert into evalhub.log values ('three'); insert into evalhub.nowhere values (1);" })
    await expect(migrate(empty, { directory })).rejects.toThrow('Migration 0002_bad failed: relation "evalhub.nowhere" does not exist')
    expect(await lines(empty)).toEqual(['one', 'two'])

    await write(directory, { ...second, '0002_bad': "insert into evalhub.log values ('three');" })
    await migrate(empty, { directory })
    expect(await lines(empty)).toEqual(['one', 'two', 'three'])
  })

  test('refuses a file that has changed since it was applied', async ({ empty, directory }) => {
    await write(directory, second)
    await migrate(empty, { directory })
    await appendFile(join(directory, '0001_one.sql'), '\n-- afterthought')

    await expect(migrate(empty, { directory })).rejects.toThrow('Migration 0001_one has changed since it was applied')
  })
})

async function write(directory: string, files: Files): Promise<void> {
  await mkdir(join(directory, 'meta'), { recursive: true })
  await writeFile(join(directory, 'meta/_journal.json'), JSON.stringify({ entries: Object.keys(files).map((tag) => ({ tag })) }))
  await Promise.all(Object.entries(files).map(([tag, text]) => writeFile(join(directory, `${tag}.sql`), text)))
}

async function lines(sql: Pool): Promise<string[]> {
  const rows = await sql<{ line: string }[]>`select line from evalhub.log order by ctid`
  return rows.map(({ line }) => line)
}
