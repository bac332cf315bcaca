import { once } from 'node:events'
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { connect, type Pool } from '#db/client.ts'
import type { Postgres } from '#local/postgres.ts'
import { runEntry, startEntry, type EntryProcess } from './entry-process.ts'
import { startTemporary } from './start-postgres.ts'

/** What one tenant may do to others through the process that serves them all. */

const JOBS = '/api/v1/evaluations/jobs'
/** A list of which each statement reads jobs. */
const LIST = `${JOBS}?tags=a,b`
const PROVIDERS = '/api/v1/evaluations/providers'
const MIB = 1024 * 1024

let server: Postgres
let db: Pool
let functions: EntryProcess | undefined

beforeAll(async () => {
  server = await startTemporary()
  db = connect(server.url, { max: 4 })
  await runEntry('k8s-bridge/migrate.ts', { DATABASE_URL: server.url, CATALOGUE_DIRS: join(import.meta.dirname, 'catalogue') })
})
afterAll(async () => {
  await db.end()
  await server.stop()
})
afterEach(async () => {
  await functions?.stop()
  functions = undefined
})

/** Answers its address. */
async function start(env: Record<string, string> = {}): Promise<string> {
  const settings = { IDENTITY_MODE: 'headers', RUN_TOKEN_KEY: 'the key of run tokens in these tests', DATABASE_MAX_CONNECTIONS: '4' }
  functions = await startEntry('functions/server.ts', { DATABASE_URL: server.url, ...settings, ...env })
  return String(functions.ready.url)
}

const as = (tenant: string) => ({ 'X-Tenant': tenant, 'X-User': 'ann' })

type Said = { status: number; retryAfter: string | null; text: string }

async function ask(url: string, tenant: string, init: RequestInit = {}): Promise<Said> {
  const answer = await fetch(url, { ...init, headers: as(tenant) })
  const text = await answer.text()
  return { status: answer.status, retryAfter: answer.headers.get('retry-after'), text }
}

/** Asks, and takes nothing of the answer. It is answered once `answered` resolves. */
function askSilently(url: string, tenant: string, { method = 'GET', headers = {} } = {}) {
  const sent: ClientRequest = httpRequest(url, { method, headers: { ...as(tenant), ...headers }, agent: false })
  sent.on('error', () => undefined)
  const answered = once(sent, 'response').then(([answer]) => (answer as IncomingMessage).on('error', () => undefined))
  answered.catch(() => undefined)
  if (method === 'GET') sent.end()
  else sent.flushHeaders()
  return { answered, leave: () => void sent.destroy() }
}

/** What the functions have under way in the database. */
async function underWay(): Promise<number> {
  const [row] = await db<{ total: number }[]>`
    select count(*) as total from pg_stat_activity
    where application_name = 'evalhub' and state <> 'idle' and wait_event_type = 'Lock'`
  return row!.total
}

const becomes = (total: number, timeout = 8000) => vi.waitFor(async () => expect(await underWay()).toBe(total), { timeout, interval: 20 })

/** Nobody reads or writes the table meanwhile. */
async function whileLocked(table: 'evaluations' | 'providers', work: () => Promise<unknown>): Promise<void> {
  await db.begin(async (tx) => {
    await tx`lock table ${tx(`evalhub.${table}`)} in access exclusive mode`
    await work()
  })
}

const JOB = JSON.stringify({
  name: 'job',
  model: { url: 'http://localhost:1/v1', name: 'm' },
  benchmarks: [{ provider_id: 'recorder', id: 'short' }],
})

describe('statements of one tenant that do not end', () => {
  test('leave half of the connections to others, and go on no longer than their callers wait', async () => {
    const url = await start()
    await whileLocked('evaluations', async () => {
      const lists = Array.from({ length: 20 }, () => askSilently(url + LIST, 'loud'))
      await becomes(4)
      for (let at = 0; at < 10; at++) {
        const { status } = await ask(`${url}${PROVIDERS}?limit=1`, 'quiet')
        expect(status).toBe(200)
      }
      expect((await fetch(`${functions!.ready.health_url as string}/readyz`)).status).toBe(200)
      for (const { leave } of lists) leave()
      await becomes(0)
    })
    expect((await ask(url + JOBS, 'loud')).status).toBe(200)
  })

  test.for([
    ['a list', 'GET', ''],
    ['a submit', 'POST', ''],
    ['a cancel', 'DELETE', '/01900000-0000-7000-8000-000000000000'],
  ] as const)('%s that is answered 503 because it took too long goes on no longer', async ([, method, path]) => {
    const url = await start({ WRITE_TIMEOUT: '500ms' })
    await whileLocked('evaluations', async () => {
      const said = await ask(`${url}${JOBS}${path}`, 'loud', { method, ...(method === 'POST' && { body: JOB }) })
      expect(said).toMatchObject({ status: 503, retryAfter: '2', text: expect.stringContaining('took') })
      await becomes(0)
    })
    expect((await ask(`${url}${JOBS}`, 'loud', { method: 'POST', body: JOB })).status).toBe(202)
  })

  test('are ended by the database at its own time, which is answered 503 and not 500', async () => {
    const limited = new URL(server.url)
    limited.searchParams.set('statement_timeout', '300')
    const url = await start({ DATABASE_URL: limited.href })
    await whileLocked('evaluations', async () => {
      for (const method of ['GET', 'POST']) {
        const said = await ask(url + JOBS, 'loud', { method, ...(method === 'POST' && { body: JOB }) })
        expect(said).toMatchObject({ status: 503, retryAfter: '2', text: expect.stringContaining('its database took too long') })
      }
      await becomes(0)
    })
  })

  test('end with a process that is stopped, and with one that is killed', async () => {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const url = await start({ SHUTDOWN_TIMEOUT: '200ms' })
      await whileLocked('evaluations', async () => {
        const lists = Array.from({ length: 3 }, () => askSilently(url + LIST, 'loud'))
        const submit = ask(url + JOBS, 'loud', { method: 'POST', body: JOB }).catch(() => undefined)
        await becomes(4)
        functions!.child.kill(signal)
        await functions!.ended
        await becomes(0)
        for (const { leave } of lists) leave()
        await submit
      })
    }
  })
})

test('the end of a log stream ends what is read for it', async () => {
  const url = await start()
  const { text } = await ask(url + JOBS, 'loud', { method: 'POST', body: JOB })
  const { id } = (JSON.parse(text) as { resource: { id: string } }).resource
  const piece = Buffer.alloc(MIB, 'line\n')
  await db`
    insert into evalhub.run_logs (evaluation_id, benchmark_index, attempt, container, seq, chunk, bytes, first_at, last_at)
    select ${id}, 0, 1, 'local', seq, ${gzipSync(piece)}, ${MIB}, now(), now() from generate_series(0, 40) as seq`
  const stream = askSilently(`${url}${JOBS}/${id}/logs?tail_lines=-1`, 'loud')
  const answer = await stream.answered
  await whileLocked('evaluations', async () => {
    answer.resume()
    await becomes(1)
    stream.leave()
    await becomes(0)
  })
})

// Guarantee: no tenant alone takes the places of requests.
test('who has taken all places gives up its newest when others come', async () => {
  const url = await start({ MAX_CONCURRENT_REQUESTS: '8' })
  await whileLocked('evaluations', async () => {
    const loud = Array.from({ length: 8 }, () => ask(url + LIST, 'loud'))
    await becomes(4)
    expect((await ask(url + JOBS, 'loud')).status).toBe(503)
    for (let at = 0; at < 10; at++) expect(await ask(`${url}${PROVIDERS}?limit=1`, 'quiet')).toMatchObject({ status: 200 })
    const refused = await Promise.any(loud)
    expect(refused).toMatchObject({ status: 503, retryAfter: '2', text: expect.stringContaining('others have come') })
    void Promise.allSettled(loud)
  })
})

describe('they are ready', () => {
  const ready = async () => fetch(`${functions!.ready.health_url as string}/readyz`)

  test('while one tenant alone holds all connections, however long', async () => {
    const url = await start({ WRITE_TIMEOUT: '60s' })
    await whileLocked('providers', async () => {
      const lists = Array.from({ length: 4 }, () => askSilently(url + PROVIDERS, 'loud'))
      await becomes(4)
      const until = performance.now() + 13_000
      await vi.waitFor(
        async () => {
          expect((await ready()).status).toBe(200)
          if (performance.now() < until) throw new Error('again')
        },
        { timeout: 20_000, interval: 500 },
      )
      for (const { leave } of lists) leave()
    })
  })

  test('until nobody is served, and again when somebody is', async () => {
    const url = await start({ WRITE_TIMEOUT: '60s' })
    await whileLocked('evaluations', async () => {
      const lists = ['a', 'b'].flatMap((tenant) => [1, 2].map(() => askSilently(url + LIST, tenant)))
      await becomes(4)
      const before = performance.now()
      const refused = await vi.waitFor(
        async () => {
          const answer = await ready()
          expect(answer.status).toBe(503)
          return answer
        },
        { timeout: 30_000, interval: 500 },
      )
      expect(performance.now() - before).toBeGreaterThan(9000)
      expect(await refused.json()).toMatchObject({
        message: expect.stringMatching(
          /all its connections to the database are held, and nothing was carried out on any of them for 1\d s/,
        ),
      })
      for (const { leave } of lists) leave()
      await vi.waitFor(async () => expect((await ready()).status).toBe(200), { timeout: 5000 })
    })
  })
})

describe('what one tenant holds and does not use', () => {
  test('as 48 readers of logs who do not read keeps no log from others', async () => {
    const url = await start()
    const submitted = await Promise.all(['loud', 'quiet'].map((tenant) => ask(url + JOBS, tenant, { method: 'POST', body: JOB })))
    const ids = submitted.map(({ text }) => (JSON.parse(text) as { resource: { id: string } }).resource.id)
    for (const id of ids)
      await db`
        insert into evalhub.run_logs (evaluation_id, benchmark_index, attempt, container, seq, chunk, bytes, first_at, last_at)
        select ${id}, 0, 1, 'local', seq, ${gzipSync(Buffer.alloc(MIB, 'line\n'))}, ${MIB}, now(), now() from generate_series(0, 20) as seq`
    const readers = Array.from({ length: 48 }, () => askSilently(`${url}${JOBS}/${ids[0]!}/logs?tail_lines=-1`, 'loud'))
    await Promise.all(readers.map(({ answered }) => answered))
    for (let at = 0; at < 3; at++) {
      const said = await ask(`${url}${JOBS}/${ids[1]!}/logs?tail_lines=-1`, 'quiet')
      expect([said.status, said.text.length]).toEqual([200, 21 * MIB + said.text.indexOf('\n') + 1])
    }
    for (const { leave } of readers) leave()
  })

  test('as bodies that it announces and does not send keeps no body from others', async () => {
    const url = await start()
    const announce = (bytes: number) => askSilently(url + JOBS, 'loud', { method: 'POST', headers: { 'Content-Length': String(bytes) } })
    const silent = [...Array.from({ length: 8 }, () => announce(0.9 * MIB)), ...Array.from({ length: 3 }, () => announce(9 * MIB))]
    const body = (bytes: number) => JSON.stringify({ ...(JSON.parse(JOB) as object), description: 'x'.repeat(bytes) })
    await vi.waitFor(async () => expect((await ask(url + JOBS, 'loud', { method: 'POST', body: JOB })).status).toBe(202))
    for (const bytes of [50_000, 0.8 * MIB, 3 * MIB, 9 * MIB]) {
      const said = await ask(url + JOBS, 'quiet', { method: 'POST', body: body(bytes) })
      expect([bytes, said.status]).toEqual([bytes, 202])
    }
    for (const { leave } of silent) leave()
  })
})
