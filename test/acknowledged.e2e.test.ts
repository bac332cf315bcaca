import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { connect } from '#db/client.ts'
import { syncCatalogue } from '#db/commands/sync-catalogue.ts'
import { migrate } from '#db/migrate.ts'
import { startPostgres, type Postgres } from '#local/postgres.ts'
import { createClient, type EvaluationJob } from '#sdk/index.ts'
import { ProviderFile } from '#shared/models/provider.ts'
import { startServer, type Server } from '../bench/processes.ts'
import { isAlive } from './hub-process.ts'
import { makeFolder, removeFolder } from './temporary-folder.ts'

const CONNECTIONS = 64
/** Acknowledged before the blow falls: some statements of several jobs have been written by then. */
const JOBS_BEFORE = 500

let folder: string
let postgres: Postgres
let server: Server

// A real one: what it has acknowledged is on the disk.
const startDatabase = () => startPostgres({ dataDir: folder, log: () => undefined })

beforeEach(async () => {
  folder = await makeFolder()
  postgres = await startDatabase()
  const db = connect(postgres.url)
  await migrate(db)
  const provider = ProviderFile.parse({ id: 'frame', runtime: {}, benchmarks: [{ id: 'first', name: 'First' }] })
  await syncCatalogue(db, { providers: [provider], collections: [] }, '0.0.0')
  await db.end()
  server = await startServer(postgres.url)
})
afterEach(async () => {
  server.stop()
  await postgres.stop()
  await removeFolder(folder)
})

const submit = (url: string, idempotencyKey: string): Promise<EvaluationJob> =>
  createClient({ baseUrl: url, maxRetries: 0 }).evaluations.submit(
    { name: 'job', model: { url: 'http://localhost/v1', name: 'm' }, benchmarks: [{ id: 'first', provider_id: 'frame' }] },
    { idempotencyKey },
  )

/** Submits over 64 connections until each of them fails. Ids by key; of what was not acknowledged, undefined. */
async function submitUntilTheEnd(url: string, jobs: Map<string, string | undefined>): Promise<void> {
  const loop = async () => {
    for (;;) {
      const key = randomUUID()
      jobs.set(key, undefined)
      const job = await submit(url, key).catch(() => undefined)
      if (!job) return
      jobs.set(key, job.resource.id)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, loop))
}

const acknowledged = (jobs: Map<string, string | undefined>) => [...jobs.values()].filter((id) => id !== undefined)

async function killServer() {
  process.kill(server.pid, 'SIGKILL')
}

async function killDatabase(): Promise<void> {
  const pid = Number((await readFile(join(folder, 'postgres/data/postmaster.pid'), 'utf8')).split('\n')[0])
  process.kill(pid, 'SIGKILL')
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 10_000 })
}

// Guarantee: a 202 is said after the commit, also of a job that shared its statement with others; and what a crash left open is safe to repeat.
test.for<[what: string, kill: () => Promise<void>]>([
  ['the functions process', killServer],
  ['PostgreSQL', killDatabase],
])('after kill -9 of %s under 64 connections every acknowledged job is there, once', async ([, kill]) => {
  const jobs = new Map<string, string | undefined>()
  const submits = submitUntilTheEnd(server.url, jobs)
  await vi.waitFor(() => expect(acknowledged(jobs).length).toBeGreaterThan(JOBS_BEFORE), { timeout: 30_000, interval: 5 })
  await kill()
  await submits
  const before = acknowledged(jobs)

  server.stop()
  postgres = await startDatabase()
  server = await startServer(postgres.url)
  const { evaluations } = createClient({ baseUrl: server.url })
  for (let at = 0; at < before.length; at += 1000) {
    expect((await evaluations.states(before.slice(at, at + 1000))).not_found).toEqual([])
  }
  for (const [key, id] of jobs) {
    if (id === undefined) jobs.set(key, (await submit(server.url, key)).resource.id)
  }
  expect(new Set(jobs.values()).size).toBe(jobs.size)
  expect((await evaluations.list({ limit: 1 })).total_count).toBe(jobs.size)
})
