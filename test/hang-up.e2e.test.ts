import { connect as openSocket, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { connect, type Pool } from '#db/client.ts'
import type { Postgres } from '#local/postgres.ts'
import { runEntry, startEntry, type EntryProcess } from './entry-process.ts'
import { parseMetrics } from './metrics-text.ts'
import { startTemporary } from './start-postgres.ts'

/** Callers that hang up, wherever their request is: of what requests share nothing is held when they are gone. */

const JOBS = '/api/v1/evaluations/jobs'
const MIB = 1024 * 1024
const HOLDINGS = ['evalhub_request_memory_held_bytes', 'evalhub_request_places_held']

let server: Postgres
let db: Pool
let functions: EntryProcess
let url: string
/** A large job of red's, and one with a long log. */
let large: string
let logged: string

beforeAll(async () => {
  server = await startTemporary()
  db = connect(server.url, { max: 2 })
  await runEntry('k8s-bridge/migrate.ts', { DATABASE_URL: server.url, CATALOGUE_DIRS: join(import.meta.dirname, 'catalogue') })
  const settings = { IDENTITY_MODE: 'headers', RUN_TOKEN_KEY: 'the key of run tokens in these tests', WRITE_TIMEOUT: '4s' }
  functions = await startEntry('functions/server.ts', { DATABASE_URL: server.url, DATABASE_MAX_CONNECTIONS: '4', ...settings })
  url = String(functions.ready.url)
  for (let at = 0; at < 8; at++) large = await submit('red', 3 * MIB)
  logged = await submit('red', 1)
  await db`
    insert into evalhub.run_logs (evaluation_id, benchmark_index, attempt, container, seq, chunk, bytes, first_at, last_at)
    select ${logged}, 0, 1, 'local', seq, ${gzipSync('x\n'.repeat(MIB / 2))}, ${MIB}, now(), now() from generate_series(0, 19) as seq`
}, 120_000)
afterAll(async () => {
  await functions.stop()
  await db.end()
  await server.stop()
})

const jobOf = (bytes: number) =>
  JSON.stringify({
    name: 'job',
    model: { url: 'http://localhost:1/v1', name: 'm' },
    benchmarks: [{ provider_id: 'recorder', id: 'short' }],
    custom: { text: 'x'.repeat(bytes) },
  })

const as = (tenant: string) => ({ 'X-Tenant': tenant, 'X-User': 'ann' })

async function submit(tenant: string, bytes: number): Promise<string> {
  const answer = await fetch(url + JOBS, { method: 'POST', headers: as(tenant), body: jobOf(bytes) })
  expect(answer.status).toBe(202)
  return ((await answer.json()) as { resource: { id: string } }).resource.id
}

/** What requests hold, but for the 0s. */
async function held(): Promise<Record<string, number>> {
  const answer = await fetch(functions.ready.metrics_url as string)
  const samples = parseMetrics(await answer.text()).filter(({ name }) => HOLDINGS.includes(name))
  expect(samples).toHaveLength(8)
  return Object.fromEntries(samples.flatMap(({ labels, value }) => (value === 0 ? [] : [[Object.values(labels)[0], value]])))
}

const HEAD = 'Host: a\r\nX-Tenant: red\r\nX-User: ann\r\n'
const get = (path: string) => `GET ${path} HTTP/1.1\r\n${HEAD}\r\n`
const post = (body: string, sent: number) => `POST ${JOBS} HTTP/1.1\r\n${HEAD}Content-Length: ${body.length}\r\n\r\n${body.slice(0, sent)}`
const inChunks = (body: string) =>
  `POST ${JOBS} HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n`

const BODY = jobOf(3 * MIB)

/** Requests that a connection may send at once: who sends more is cut off, and would show nothing here. */
const AT_ONCE = 4

/** What a caller sends on its connection. */
const SENT: Record<string, () => string> = {
  'a list of large jobs': () => get(JOBS),
  'lists of large jobs, one after the other before any is answered': () => get(JOBS).repeat(AT_ONCE),
  'a large job': () => get(`${JOBS}/${large}`),
  'large jobs, one after the other before any is answered': () => get(`${JOBS}/${large}`).repeat(AT_ONCE),
  'a log': () => get(`${JOBS}/${logged}/logs?tail_lines=-1`),
  'logs, one after the other before any is answered': () => get(`${JOBS}/${logged}/logs?tail_lines=-1`).repeat(AT_ONCE),
  'the head of a large submit': () => post(BODY, 0),
  'half a large submit': () => post(BODY, BODY.length / 2),
  'a large submit': () => post(BODY, BODY.length),
  'a large submit in chunks, without its end': () => inChunks(BODY),
}

/** How long a caller stays: some before anything is done, some as long as it is waited for memory, a place, a turn or a connection, some while it is answered. */
const STAYS_MS = [0, 1, 3, 10, 20, 40, 80, 150, 300, 500, 800, 1200, 1800, 2500]

/** Sends it on many connections, of which half are not read from, and hangs up. */
async function hangUp(text: string, callers: number): Promise<void> {
  const { hostname, port } = new URL(url)
  await Promise.all(
    Array.from({ length: callers }, async (_, at) => {
      const socket: Socket = openSocket(Number(port), hostname).on('error', () => undefined)
      if (at % 2 === 0) socket.resume()
      else socket.pause()
      socket.write(text)
      await after(STAYS_MS[at % STAYS_MS.length])
      socket.destroy()
    }),
  )
}

/** What is held, once it is nothing or much time has gone by. */
const heldInTheEnd = () => vi.waitFor(async () => expect(await held()).toEqual({}), { timeout: 15_000, interval: 100 }).then(held, held)

// Guarantee: nobody keeps by leaving what all share.
test.for(Object.keys(SENT))('%s holds nothing when its callers have hung up, wherever it was', { timeout: 60_000 }, async (name) => {
  for (const callers of [1, 3, 42]) await hangUp(SENT[name]!(), callers)
  expect(await heldInTheEnd()).toEqual({})
})

test('large requests of others are served after all that, and nothing is held when they are', { timeout: 60_000 }, async () => {
  await Promise.all(Object.values(SENT).map((text) => hangUp(text(), 14)))
  expect(await heldInTheEnd()).toEqual({})
  const id = await submit('blue', 3 * MIB)
  const answer = await fetch(`${url}${JOBS}/${id}`, { headers: as('blue') })
  expect(answer.status).toBe(200)
  await answer.text()
  expect(await heldInTheEnd()).toEqual({})
})
