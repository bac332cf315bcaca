import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect as connectSocket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type Pool } from '#db/client.ts'
import type { Postgres } from '#local/postgres.ts'
import { runEntry, startEntry, type EntryProcess } from './entry-process.ts'
import { startTemporary } from './start-postgres.ts'

const JOBS = '/api/v1/evaluations/jobs'
const PROVIDERS = '/api/v1/evaluations/providers'
const CALLER = { 'X-Tenant': 'team-red', 'X-User': 'rep' }
const MIB = 1024 * 1024

/** As `npm run start:functions` and the image have it, but for `--no-maglev`, which Node does not take from its environment. */
const OPTIONS = { NODE_OPTIONS: '--max-semi-space-size=2 --max-old-space-size=256', MALLOC_ARENA_MAX: '1' }

let server: Postgres
let db: Pool
let functions: EntryProcess
let url: string

beforeAll(async () => {
  server = await startTemporary()
  db = connect(server.url, { max: 2 })
  await runEntry('k8s-bridge/migrate.ts', { DATABASE_URL: server.url, CATALOGUE_DIRS: join(import.meta.dirname, 'catalogue') })
  const settings = { IDENTITY_MODE: 'headers', IDENTITY_REPORTERS: 'rep', RUN_TOKEN_KEY: 'the key of run tokens in these tests' }
  functions = await startEntry('functions/server.ts', { DATABASE_URL: server.url, ...OPTIONS, ...settings })
  url = String(functions.ready.url)
})
afterAll(async () => {
  await functions.stop()
  await db.end()
  await server.stop()
})

type Said = { status: number; retryAfter: string | undefined; bytes: number; head: string }

/** Asks, and takes the answer to its end without keeping it. */
async function ask(method: string, path: string, body?: string): Promise<Said> {
  const headers = { ...CALLER, ...(body !== undefined && { 'Content-Length': String(Buffer.byteLength(body)) }) }
  const sent = httpRequest(url + path, { method, headers })
  sent.end(body)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  let [bytes, head] = [0, '']
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    if (head.length < 1000) head += chunk.toString('latin1', 0, 1000)
    bytes += chunk.length
  }
  expect(answer.complete).toBe(true)
  return { status: answer.statusCode ?? 0, retryAfter: answer.headers['retry-after'], bytes, head }
}

const job = (name: string, runs = 1, custom = {}) => ({
  name,
  model: { url: 'http://localhost:1/v1', name: 'm' },
  benchmarks: Array.from({ length: runs }, () => ({ provider_id: 'recorder', id: 'short' })),
  custom,
})

const ended = (index: number, artifacts: object) =>
  JSON.stringify({
    benchmark_status_event: {
      provider_id: 'recorder',
      id: 'short',
      benchmark_index: index,
      status: 'completed',
      metrics: { score: 1 },
      artifacts,
    },
  })

/** Values that take little text and much memory. */
const dense = (bytes: number) => Array.from({ length: Math.floor(bytes / 3) }, () => ({}))

/** Jobs that have as much as a job may; answers the id of one. */
async function fillLarge(count: number): Promise<string> {
  const { head } = await ask('POST', JOBS, JSON.stringify(job('large', 4)))
  const [id = ''] = /[0-9a-f-]{36}/.exec(head) ?? []
  for (let index = 0; index < 4; index++) {
    const artifacts = index === 0 ? { list: dense(0.1 * MIB) } : { text: 'y'.repeat(7.9 * MIB) }
    const { status } = await ask('POST', `${JOBS}/${id}/events`, ended(index, artifacts))
    expect([204, 400]).toContain(status)
  }
  await Promise.all(Array.from({ length: count - 1 }, () => copyJob(id)))
  return id
}

async function copyJob(id: string): Promise<void> {
  const copy = randomUUID()
  for (const [table, key] of [
    ['evaluations', 'id'],
    ['runs', 'evaluation_id'],
  ] as const) {
    const [row] = await db<{ columns: string }[]>`
      select string_agg(quote_ident(column_name), ', ') as columns from information_schema.columns
      where table_schema = 'evalhub' and table_name = ${table} and column_name <> ${key}`
    await db.unsafe(
      `insert into evalhub.${table} (${key}, ${row!.columns}) select '${copy}', ${row!.columns} from evalhub.${table} where ${key} = '${id}'`,
    )
  }
}

/** A connection that sends so many requests at once, and reads no answer. */
function sendUnread(base: string, path: string, count: number) {
  const { hostname, port } = new URL(base)
  const socket = connectSocket(Number(port), hostname).pause()
  socket.on('error', () => undefined)
  socket.write(`GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`.repeat(count))
  return socket
}

async function residentMb(): Promise<number> {
  const status = await readFile(`/proc/${functions.child.pid}/status`, 'utf8').catch(() => '')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
}

/** Looks at the process until it is told to stop: how large it was at most, and the slowest that it said that it is ready. */
function observe() {
  const watch = { isOver: false }
  const seen = (async () => {
    let [largest, slowestMs] = [0, 0]
    while (!watch.isOver) {
      const before = performance.now()
      expect((await fetch(`${url}/readyz`)).status).toBe(200)
      slowestMs = Math.max(slowestMs, performance.now() - before)
      largest = Math.max(largest, await residentMb())
      await pause(50)
    }
    return { largest: Math.round(largest), slowestMs: Math.round(slowestMs) }
  })()
  seen.catch(() => undefined)
  return () => {
    watch.isOver = true
    return seen
  }
}

// Guarantee: no mix of the largest requests ends the process that serves everybody.
test('the largest jobs, lists and bodies at once are answered, or refused with 503 and Retry-After, and the process stays ready', async () => {
  const id = await fillLarge(3)
  const long = JSON.stringify(job('long', 1, { text: 'z'.repeat(9.9 * MIB) }))
  const crowded = JSON.stringify(job('crowded', 1, { list: dense(9.9 * MIB) }))
  const provider = JSON.stringify({ name: 'long', benchmarks: [{ id: 'b', name: 'b', description: 'd'.repeat(7 * MIB) }] })
  const times = (count: number, one: () => Promise<Said>) => Array.from({ length: count }, one)

  const stop = observe()
  const said = await Promise.all([
    ...times(4, () => ask('GET', `${JOBS}/${id}`)),
    ...times(2, () => ask('GET', `${JOBS}?limit=100`)),
    ...times(8, () => ask('POST', JOBS, long)),
    ...times(2, () => ask('POST', JOBS, crowded)),
    ...times(4, () => ask('POST', PROVIDERS, provider)),
  ])
  const listed = await Promise.all([
    ...times(3, () => ask('GET', `${PROVIDERS}?limit=100`)),
    ...times(2, () => ask('GET', `${JOBS}?limit=0`)),
  ])
  const seen = await stop()

  const all = [...said, ...listed]
  for (const { status, retryAfter } of all.filter((one) => one.status > 299)) {
    // What is too large is the sender's to mend.
    expect([400, 503]).toContain(status)
    if (status === 503) expect(retryAfter).toBe('2')
  }
  expect(said.slice(0, 4).some(({ status }) => status === 200)).toBe(true)
  console.log(`resident: ${seen.largest} MB at most; ready within ${seen.slowestMs} ms`)
  expect(functions.child.exitCode).toBeNull()
  expect((await ask('POST', JOBS, JSON.stringify(job('after')))).status).toBe(202)
})

// Guarantee: nobody without a token ends the process, or takes its memory from those who have one.
test('what strangers send at once, and do not read, takes little memory on every port, and others are answered', async () => {
  const before = await residentMb()
  const [eventsUrl, healthUrl] = [String(functions.ready.events_url), String(functions.ready.health_url)]
  const sockets = [
    sendUnread(url, '/openapi.yaml', 1600),
    sendUnread(url, '/docs/swagger-ui-bundle.js', 1000),
    ...Array.from({ length: 300 }, () => sendUnread(url, '/docs/swagger-ui-bundle.js', 1)),
    sendUnread(eventsUrl, '/a', 1600),
    sendUnread(healthUrl, '/metrics', 1700),
  ]
  let largest = before
  for (let asked = 0; asked < 40; asked++) {
    for (const base of [url, eventsUrl, healthUrl]) expect((await fetch(`${base}/healthz`)).status).toBe(200)
    largest = Math.max(largest, await residentMb())
    await pause(50)
  }
  for (const socket of sockets) socket.destroy()
  console.log(`resident: ${Math.round(before)} MB before, ${Math.round(largest)} MB at most`)
  expect(functions.child.exitCode).toBeNull()
  expect(largest - before).toBeLessThan(200)
})
