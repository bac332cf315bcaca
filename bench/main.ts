import { execFile, fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { connect } from '#db/client.ts'
import { syncCatalogue } from '#db/commands/sync-catalogue.ts'
import { migrate } from '#db/migrate.ts'
import { removePostgres } from '#local/postgres-home.ts'
import { startPostgres } from '#local/postgres.ts'
import { ProviderFile } from '#shared/models/provider.ts'
import type { Task } from './child.ts'
import type { Figures } from './measure.ts'
import { openReference, OPERATIONS } from './operations.ts'

/**
 * `npm run bench [-- SECONDS]`: throughput and latency of the API beside a reference in the same run.
 *
 * The reference runs the same statements through the same driver and pool, without HTTP. The load comes from a process of its own.
 */

const CONNECTIONS = [1, 16, 64]
const seconds = Number(process.argv[2] ?? 3)

function start(task: Task): { child: ChildProcess; result: Promise<unknown> } {
  const child = fork(join(import.meta.dirname, 'child.ts'))
  child.send(task)
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`a process of the benchmark ended with ${code}`)
  })
  return { child, result: Promise.race([once(child, 'message').then(([message]) => message as unknown), failed]) }
}

async function figuresOf(task: Task): Promise<Figures> {
  const { child, result } = start(task)
  const figures = (await result) as Figures
  child.kill()
  return figures
}

/** Jobs whose run is running, for `get` and `event` to work on. */
async function prepareJobs(databaseUrl: string): Promise<string[]> {
  const db = connect(databaseUrl)
  const provider = ProviderFile.parse({ id: 'bench', runtime: {}, benchmarks: [{ id: 'bench', name: 'bench' }] })
  await syncCatalogue(db, { providers: [provider], collections: [] }, '0.0.0')
  const reference = openReference(databaseUrl, [])
  await Promise.all(Array.from({ length: 256 }, () => reference.operations.submit()))
  await reference.close()
  const ids = (await db<{ id: string }[]>`select id from evalhub.evaluations`).map(({ id }) => id)
  const running = openReference(databaseUrl, ids)
  await Promise.all(ids.map(() => running.operations.event()))
  await running.close()
  await db.end()
  return ids
}

const row = (cells: (string | number)[]) => cells.map((cell) => String(cell).padStart(11)).join('')
const ms = (value: number) => value.toFixed(2)

async function compare(databaseUrl: string, url: string, ids: string[]): Promise<void> {
  console.log(row(['', 'conns', 'API/s', 'p50 ms', 'p99 ms', 'ref/s', 'p50 ms', 'p99 ms', 'API:ref']))
  for (const operation of OPERATIONS) {
    for (const connections of CONNECTIONS) {
      const shared = { operation, connections, seconds, ids }
      const reference = await figuresOf({ role: 'reference', databaseUrl, ...shared })
      const api = await figuresOf({ role: 'load', url, ...shared })
      const cells = [api, reference].flatMap((side) => [Math.round(side.perSecond), ms(side.p50Ms), ms(side.p99Ms)])
      console.log(row([operation, connections, ...cells, (api.perSecond / reference.perSecond).toFixed(2)]))
    }
  }
}

/** One job, one run and one queue row a transaction: what PostgreSQL does with a submit when nothing is gathered. */
const SUBMIT_SQL = `with job as (
  insert into evalhub.evaluations (id, tenant, owner, name, tags, message, request, aggregate_threshold)
  values (gen_random_uuid(), '', '', 'bench', '[]', '{"message":"m","message_code":"c"}', '{"name":"bench"}', 0.5) returning id
), run as (
  insert into evalhub.runs (evaluation_id, benchmark_index, provider_id, benchmark_id, spec) select id, 0, 'bench', 'bench', '{}' from job
)
insert into evalhub.launch_queue (tenant, evaluation_id, benchmark_index, attempt) select '', id, 0, 1 from job;
`

async function pgbench(databaseUrl: string, folder: string): Promise<void> {
  const script = join(folder, 'submit.sql')
  await writeFile(script, SUBMIT_SQL)
  for (const clients of CONNECTIONS.filter((count) => count < 50)) {
    const options = ['-n', '-M', 'prepared', '-c', String(clients), '-j', '2', '-T', String(seconds), '-f', script, databaseUrl]
    const { stdout } = await promisify(execFile)('pgbench', options)
    console.log(`pgbench, one submit a transaction, ${clients} clients: ${/tps = [\d.]+/.exec(stdout)?.[0] ?? stdout}`)
  }
}

const folder = await mkdtemp(join(tmpdir(), 'evalhub-bench-'))
const postgres = await startPostgres({ dataDir: folder, log: console.log })
try {
  const db = connect(postgres.url)
  await migrate(db)
  await db.end()
  const ids = await prepareJobs(postgres.url)
  const server = start({ role: 'server', databaseUrl: postgres.url })
  const { url } = (await server.result) as { url: string }
  await compare(postgres.url, url, ids)
  server.child.kill()
  await pgbench(postgres.url, folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    console.log('pgbench is not on this machine: its line is left out')
  })
} finally {
  await postgres.stop()
  await removePostgres(folder)
  await rm(folder, { recursive: true, force: true })
}
