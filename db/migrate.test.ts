import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
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

  // Guarantee: quotas count what a tenant had before there were any.
  test('counts the jobs that are there when quotas come', async ({ empty, directory }) => {
    const shipped = join(import.meta.dirname, 'migrations')
    const { entries } = JSON.parse(await readFile(join(shipped, 'meta/_journal.json'), 'utf8')) as { entries: { tag: string }[] }
    const before = entries.filter(({ tag }) => tag < '0009')
    await write(
      directory,
      Object.fromEntries(await Promise.all(before.map(async ({ tag }) => [tag, await readFile(join(shipped, `${tag}.sql`), 'utf8')]))),
    )
    await migrate(empty, { directory })
    await empty`
      with job as (
        insert into evalhub.evaluations (id, tenant, owner, name, tags, message, request, aggregate_threshold, footprint, deleted_at)
        select gen_random_uuid(), tenant, '', 'n', '[]', '{}', '{}', 0.5, 1000, deleted_at
        from (values ('a', null), ('a', null), ('a', now()), ('b', null)) as job (tenant, deleted_at) returning id
      ), run as (
        insert into evalhub.runs (evaluation_id, benchmark_index, provider_id, benchmark_id, spec, state, finished_at)
        select id, number, 'p', 'b', '{"a":1}', case number when 0 then 'completed' else 'pending' end::evalhub.run_state,
          case number when 0 then now() end
        from job, generate_series(0, 2) as number
      )
      insert into evalhub.run_logs (evaluation_id, benchmark_index, attempt, container, seq, chunk, bytes, first_at, last_at)
      select id, 0, 1, 'local', 0, '\\x010203', 9, now(), now() from job`
    await migrate(empty)
    const spec = '{"a": 1}'.length
    expect(
      await empty`
        select tenant, sum(total)::int as jobs, sum(open_runs)::int as runs, sum(stored_bytes)::int as bytes
        from evalhub.evaluation_counts group by tenant order by tenant`,
    ).toEqual([
      { tenant: 'a', jobs: 2, runs: 4, bytes: 2 * (1000 + 3 * spec + 3) },
      { tenant: 'b', jobs: 1, runs: 2, bytes: 1000 + 3 * spec + 3 },
    ])
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
