import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { connect, type Pool } from '#db/client.ts'
import { syncCatalogue } from '#db/commands/sync-catalogue.ts'
import { migrate } from '#db/migrate.ts'
import { removePostgres } from '#local/postgres-home.ts'
import { startPostgres } from '#local/postgres.ts'
import { ProviderFile } from '#shared/models/provider.ts'
import { compare, printHead, type Place } from './compare.ts'
import { fillRunning } from './fill-jobs.ts'
import { benchLists } from './lists.ts'
import { benchMemory } from './memory.ts'
import type { OperationName, Subject } from './operations.ts'
import { benchPgbench } from './pgbench.ts'
import { startServer } from './processes.ts'
import { benchTurns } from './turns.ts'

/**
 * `npm run bench [-- SECTION…] [--seconds N] [--full]`: throughput and latency of the API beside a reference in the same run.
 *
 * The reference runs the same statements through the same driver and pool, without HTTP. The load comes from a process of its own.
 * All sections take some minutes; `--full` adds lists of a million jobs and makes the look at memory ten minutes long.
 */

const MANY = 256
/** Ends that one measurement may need at most. */
const ENDS = 12_000

type Bench = { db: Pool; place: Place; folder: string; seconds: number; isFull: boolean }

const of = (ids: readonly string[], runs = 1): Subject => ({ ids, runs, tenant: '' })

async function several({ place, seconds }: Bench, label: string, operation: OperationName, connections: number[], subjects: Subject[]) {
  for (const count of connections) await compare(place, { label, operation, connections: count, seconds, subjects })
}

async function benchRequests(bench: Bench) {
  const running = of(await fillRunning(bench.db, MANY, 1))
  printHead()
  await several(bench, 'submit', 'submit', [1, 16, 64], [running])
  await several(bench, 'get', 'get', [1, 64], [running])
}

async function benchEvents(bench: Bench) {
  const { db } = bench
  printHead()
  await several(bench, `progress of ${MANY} jobs`, 'progress', [1, 16, 64], [of(await fillRunning(db, MANY, 1))])
  await several(bench, 'progress of 64 runs of a job', 'progress', [16, 64], [of(await fillRunning(db, 1, 64), 64)])
  await several(bench, 'progress of one run', 'progress', [16, 64], [of(await fillRunning(db, 1, 1))])
  for (const connections of [1, 16, 64]) {
    const subjects: Subject[] = []
    for (let at = 0; at < 6; at++) subjects.push(of(await fillRunning(db, ENDS, 1)))
    await several(bench, 'end of a run', 'end', [connections], subjects)
  }
}

async function benchBatches(bench: Bench) {
  const running = of(await fillRunning(bench.db, 1000, 1))
  printHead()
  await several(bench, 'submit 100 jobs', 'submit 100', [1, 8], [running])
  await several(bench, 'states of 1,000 jobs', 'states 1000', [1, 8], [running])
}

const SECTIONS: Record<string, (bench: Bench) => Promise<void>> = {
  requests: benchRequests,
  events: benchEvents,
  batches: benchBatches,
  pgbench: async ({ db, place, folder, seconds }) => benchPgbench(place, { folder, seconds, subject: of(await fillRunning(db, MANY, 1)) }),
  lists: ({ db, place, ...options }) => benchLists(db, place, options),
  turns: ({ db, place }) => benchTurns(place.databaseUrl, db),
  memory: async ({ db, place, isFull }) => benchMemory(place.databaseUrl, of(await fillRunning(db, MANY, 1)), isFull ? 600 : 20),
}

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: 'string', default: '1.5' }, full: { type: 'boolean', default: false } },
  })
  const seconds = Number(values.seconds)
  const unknown = positionals.find((name) => !(name in SECTIONS))
  if (unknown !== undefined || !(seconds > 0)) {
    console.error(`usage: npm run bench [-- SECTION…] [--seconds N] [--full]\nsections: ${Object.keys(SECTIONS).join(', ')}`)
    process.exit(2)
  }
  return { seconds, isFull: values.full, sections: positionals.length > 0 ? positionals : Object.keys(SECTIONS) }
}

const { sections, ...options } = readArguments()
const folder = await mkdtemp(join(tmpdir(), 'evalhub-bench-'))
const postgres = await startPostgres({ dataDir: folder, log: console.log, settings: { max_connections: '120' } })
try {
  const db = connect(postgres.url)
  await migrate(db)
  const provider = ProviderFile.parse({ id: 'bench', runtime: {}, benchmarks: [{ id: 'bench', name: 'bench' }] })
  await syncCatalogue(db, { providers: [provider], collections: [] }, '0.0.0')
  for (const section of sections) {
    console.log(`\n${section}`)
    // Each with a server of its own, so that none inherits the memory of another.
    const server = await startServer(postgres.url)
    const place = { databaseUrl: postgres.url, url: server.url }
    await SECTIONS[section]?.({ db, place, folder, ...options })
    server.stop()
  }
  await db.end()
} finally {
  await postgres.stop()
  await removePostgres(folder)
  await rm(folder, { recursive: true, force: true })
}
