import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { connect, type Pool } from '#db/client.ts'
import { startPostgres, type Postgres } from '#local/postgres.ts'
import { makeRunToken } from '#shared/run-token.ts'
import { runEntry, type EntryProcess } from './entry-process.ts'
import { parseMetrics, valueOf } from './metrics-text.ts'
import { ownEntries } from './own-entries.ts'
import { forwardPort } from './port-forward.ts'
import { startTemporary } from './start-postgres.ts'

const CATALOGUE = join(import.meta.dirname, 'catalogue')
const JOBS = '/api/v1/evaluations/jobs'
const CALLER = { 'X-Tenant': 'team-red', 'X-User': 'ann' }
const KEY = 'the key of run tokens in these tests'

let server: Postgres
let db: Pool
const entries = ownEntries()

beforeAll(async () => {
  server = await startTemporary()
  db = connect(server.url, { max: 2 })
  const migrated = await runEntry('k8s-bridge/migrate.ts', { DATABASE_URL: server.url, CATALOGUE_DIRS: CATALOGUE })
  expect(migrated).toMatchObject({ code: 0, stderr: '' })
})
afterAll(async () => {
  await db.end()
  await server.stop()
})

const start = (entry: string, env: Record<string, string>) => entries.start(entry, { DATABASE_URL: server.url, ...env })

const startFunctions = (env: Record<string, string> = {}) =>
  start('functions/server.ts', { IDENTITY_MODE: 'headers', RUN_TOKEN_KEY: KEY, ...env })

const urlOf = (entry: EntryProcess) => String(entry.ready.url)

const job = (name: string, milliseconds = 10) => ({
  name,
  model: { url: 'http://localhost:1/v1', name: 'm' },
  benchmarks: [{ provider_id: 'recorder', id: 'short', parameters: { milliseconds } }],
})

const submit = (url: string, name: string, headers: Record<string, string> = CALLER, milliseconds?: number) =>
  fetch(url + JOBS, { method: 'POST', headers, body: JSON.stringify(job(name, milliseconds)) })

/** Ends the run of a job with its token, on the port for that. */
async function report(eventsUrl: string, evaluationId: string, message?: string): Promise<Response> {
  const token = await makeRunToken(KEY, { evaluationId, benchmarkIndex: 0, attempt: 1 })
  const event = { provider_id: 'recorder', id: 'short', status: 'completed', ...(message && { warning_message: { message } }) }
  const body = JSON.stringify({ benchmark_status_event: event })
  return fetch(`${eventsUrl}${JOBS}/${evaluationId}/events`, { method: 'POST', headers: { Authorization: `Bearer ${token}` }, body })
}

const scrape = async (entry: EntryProcess) => parseMetrics(await (await fetch(String(entry.ready.metrics_url))).text())

describe('the functions', () => {
  test('answer, and say of each request whose it was, what it was and how long it took, and no more', async () => {
    const functions = await startFunctions()
    const answer = await submit(urlOf(functions), 'one', { ...CALLER, 'X-Global-Transaction-Id': 'trace-1' })
    expect(answer.status).toBe(202)
    await fetch(`${urlOf(functions)}${JOBS}?name=private&limit=1`, { headers: { ...CALLER, 'X-User': 'u'.repeat(1000) } })
    await fetch(`${urlOf(functions)}/not/private`)
    await fetch(`${urlOf(functions)}/healthz`)
    await vi.waitFor(() => expect(functions.lines().filter(({ message }) => message === 'request')).toHaveLength(3))

    const [first, second] = functions.lines().filter(({ message }) => message === 'request')
    expect(first).toEqual({
      time: expect.any(String),
      level: 'info',
      message: 'request',
      request_id: 'trace-1',
      tenant: 'team-red',
      user: 'ann',
      method: 'POST',
      route: JOBS,
      path: JOBS,
      status: 202,
      duration_ms: expect.any(Number),
    })
    expect(second).toMatchObject({ tenant: 'team-red', user: `${'u'.repeat(128)}…` })
    expect(JSON.stringify(functions.lines())).not.toMatch(/private|localhost:1|run tokens|postgres:\/\//)
  })

  test('are alive without a database, and ready only with one that is migrated', async () => {
    await db`create database empty`
    const empty = server.url.replace(/\/postgres$/, '/empty')
    const unmigrated = await startFunctions({ DATABASE_URL: empty })
    expect((await fetch(`${urlOf(unmigrated)}/healthz`)).status).toBe(200)
    expect((await fetch(`${urlOf(unmigrated)}/readyz`)).status).toBe(503)
    const refused = await submit(urlOf(unmigrated), 'early')
    expect(refused.status).toBe(503)
    expect(await refused.json()).toMatchObject({ message: expect.stringContaining('npm run migrate') })
    await vi.waitFor(() =>
      expect(unmigrated.lines()).toContainEqual(
        expect.objectContaining({ level: 'warn', message: expect.stringContaining('npm run migrate') }),
      ),
    )
    const functions = await startFunctions()
    expect((await fetch(`${urlOf(functions)}/readyz`)).status).toBe(200)
  })

  test('say 503 while the database is away, do not end, go on by themselves, and have lost nothing that was acknowledged', async () => {
    const options = { dataDir: entries.inFolder('data'), log: () => undefined }
    let own = await startPostgres(options)
    const portOf = ({ url }: Postgres) => Number(new URL(url).port)
    const forward = await forwardPort(portOf(own))
    try {
      const url = new URL(own.url)
      url.port = String(forward.port)
      await runEntry('k8s-bridge/migrate.ts', { DATABASE_URL: own.url, CATALOGUE_DIRS: CATALOGUE })
      const functions = await startFunctions({ DATABASE_URL: url.href })
      const acknowledged: string[] = []
      const submitOne = async () => {
        const answer = await submit(urlOf(functions), 'kept')
        const body = (await answer.json()) as { resource?: { id: string } }
        if (answer.status === 202) acknowledged.push(body.resource!.id)
        return answer
      }
      await Promise.all(Array.from({ length: 20 }, submitOne))

      // While requests are under way.
      const during = Promise.all(Array.from({ length: 50 }, submitOne))
      await forward.close()
      await own.stop()
      const statuses = (await during).map(({ status }) => status)
      expect(new Set(statuses.filter((status) => status !== 202))).toEqual(new Set(statuses.includes(503) ? [503] : []))

      const refused = await submitOne()
      expect(refused.status).toBe(503)
      expect(refused.headers.get('retry-after')).toBe('2')
      expect((await fetch(`${urlOf(functions)}/readyz`)).status).toBe(503)
      expect((await fetch(`${urlOf(functions)}/healthz`)).status).toBe(200)

      own = await startPostgres(options)
      await forward.open(portOf(own))
      await vi.waitFor(async () => expect((await submitOne()).status).toBe(202), { timeout: 20_000, interval: 100 })
      expect((await fetch(`${urlOf(functions)}/readyz`)).status).toBe(200)
      for (const id of acknowledged) expect((await fetch(`${urlOf(functions)}${JOBS}/${id}`, { headers: CALLER })).status).toBe(200)
      expect(functions.child.exitCode).toBeNull()
    } finally {
      await forward.close()
      await own.stop()
    }
  })

  // Guarantee: nobody waits in a queue without end.
  test('refuse with 503 and Retry-After what is more than they may work on, stay alive and ready, and go on when the work is done', async () => {
    const functions = await startFunctions({ MAX_CONCURRENT_REQUESTS: '8' })
    const url = urlOf(functions)
    let waiting: Promise<Response>[] = []
    await db.begin(async (tx) => {
      await tx`lock table evalhub.evaluations in access exclusive mode`
      waiting = Array.from({ length: 8 }, () => fetch(url + JOBS, { headers: CALLER }))
      const refused = await vi.waitFor(async () => {
        const answer = await fetch(url + JOBS, { headers: CALLER, signal: AbortSignal.timeout(1000) })
        expect(answer.status).toBe(503)
        return answer
      })
      expect(refused.headers.get('retry-after')).toBe('2')
      expect(await refused.json()).toMatchObject({ message_code: 'unavailable', message: expect.stringContaining('8 requests') })
      const many = await Promise.all(Array.from({ length: 200 }, () => fetch(url + JOBS, { headers: CALLER })))
      expect(new Set(many.map(({ status }) => status))).toEqual(new Set([503]))
      expect((await fetch(`${url}/healthz`)).status).toBe(200)
      expect((await fetch(`${url}/readyz`)).status).toBe(200)
    })
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200))
    expect((await fetch(url + JOBS, { headers: CALLER })).status).toBe(200)
  })

  test('finish what is under way when they are to stop, take nothing more, and then end well', async () => {
    const functions = await startFunctions()
    const [url, eventsUrl] = [urlOf(functions), String(functions.ready.events_url)]
    const { resource } = (await (await submit(url, 'first')).json()) as { resource: { id: string } }
    let answers: Promise<Response>[] = []
    await db.begin(async (tx) => {
      await tx`lock table evalhub.evaluations in access exclusive mode`
      answers = [submit(url, 'last'), report(eventsUrl, resource.id)]
      await vi.waitFor(async () => expect(await waitingOnLocks()).toBeGreaterThan(1))
      functions.child.kill('SIGTERM')
      for (const base of [url, eventsUrl]) await vi.waitFor(() => expect(fetch(`${base}/healthz`)).rejects.toThrow(/fetch failed/))
    })
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([202, 204])
    expect(await functions.ended).toMatchObject({ code: 0, stderr: '' })
  })

  test('stop in the time they are given, also if a request does not end', async () => {
    const functions = await startFunctions({ SHUTDOWN_TIMEOUT: '300ms' })
    await db.begin(async (tx) => {
      await tx`lock table evalhub.evaluations in access exclusive mode`
      const cut = submit(urlOf(functions), 'cut').catch(() => 'cut')
      await vi.waitFor(async () => expect(await waitingOnLocks()).toBeGreaterThan(0))
      const before = performance.now()
      await functions.stop()
      expect(performance.now() - before).toBeLessThan(8000)
      expect(await cut).toBe('cut')
    })
  })

  test('measure requests by method, route and status, without a tenant in any label', async () => {
    const functions = await startFunctions()
    const url = urlOf(functions)
    await submit(url, 'measured')
    await fetch(`${url}/api/v1/health`)
    await fetch(`${url}/nowhere`)
    await fetch(`${url}${JOBS}/x`, { headers: CALLER })
    const samples = await vi.waitFor(async () => {
      const now = await scrape(functions)
      expect(valueOf(now, 'http_server_request_count_total', { http_route: `${JOBS}/{job_id}` })).toBe(1)
      return now
    })
    const labels = { http_request_method: 'POST', http_route: JOBS, http_response_status_code: '202' }
    expect(valueOf(samples, 'http_server_request_count_total', labels)).toBe(1)
    expect(valueOf(samples, 'http_server_request_count_total', { http_route: '/api/v1/health' })).toBe(1)
    expect(valueOf(samples, 'http_server_request_count_total', { http_route: 'not_found' })).toBe(1)
    expect(valueOf(samples, 'http_server_request_duration_seconds_count', { ...labels, url_scheme: 'http' })).toBe(1)
    expect(valueOf(samples, 'http_server_request_duration_seconds_count', { http_route: 'not_found' })).toBeUndefined()
    const bounds = samples.filter(
      ({ name, labels: { http_route: route } }) => name === 'http_server_request_duration_seconds_bucket' && route === JOBS,
    )
    const buckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
    expect(bounds.map((sample) => sample.labels.le)).toEqual([...buckets.map(String), '+Inf'])
    expect(valueOf(samples, 'http_server_request_body_size_bytes_sum', labels)).toBe(JSON.stringify(job('measured')).length)
    expect(valueOf(samples, 'http_server_response_body_size_bytes_sum', labels)).toBeGreaterThan(100)
    expect(valueOf(samples, 'http_server_active_requests', { http_request_method: 'GET', url_scheme: 'http' })).toBe(0)
    expect(valueOf(samples, 'process_cpu_seconds_total')).toBeGreaterThan(0)
    expect(JSON.stringify(samples)).not.toContain('team-red')
    // Not where those who may ask the API are.
    expect((await fetch(`${url}/metrics`)).status).toBe(404)
  })

  test('answer no more of a log than they are told', async () => {
    const functions = await startFunctions({ MAX_LOG_RESPONSE_BYTES: '10' })
    const answer = await submit(urlOf(functions), 'one')
    const { resource } = (await answer.json()) as { resource: { id: string } }
    await db`insert into evalhub.run_logs (evaluation_id, benchmark_index, attempt, container, seq, chunk, bytes, first_at, last_at)
      values (${resource.id}, 0, 1, 'local', 0, ${gzipSync('x'.repeat(11))}, 11, now(), now())`
    const log = await fetch(`${urlOf(functions)}${JOBS}/${resource.id}/benchmarks/0/logs`, { headers: CALLER })
    expect(await log.text()).toBe('x'.repeat(10))
  })

  test('take no more of a request than they are told: headers, body, and the time for both', async () => {
    const functions = await startFunctions({ READ_TIMEOUT: '500ms', MAX_REQUEST_BODY_BYTES: '1000', MAX_HEADER_BYTES: '20000' })
    const url = new URL(urlOf(functions))
    expect((await fetch(url, { headers: { long: 'x'.repeat(30_000) } })).status).toBe(431)
    expect((await submit(url.origin, 'x'.repeat(1000))).status).toBe(413)
    const eventsUrl = String(functions.ready.events_url)
    expect((await fetch(eventsUrl, { headers: { long: 'x'.repeat(30_000) } })).status).toBe(431)
    expect((await report(eventsUrl, randomUUID(), 'x'.repeat(1000))).status).toBe(413)
    for (const base of [url.origin, eventsUrl]) {
      const Authorization = `Bearer ${await makeRunToken(KEY, { evaluationId: 'x', benchmarkIndex: 0, attempt: 1 })}`
      const headers = base === eventsUrl ? { Authorization } : CALLER
      const slow = httpRequest(`${base}${JOBS}${base === eventsUrl ? '/x/events' : ''}`, {
        method: 'POST',
        headers: { ...headers, 'Content-Length': '100' },
      })
      slow.write('{')
      slow.on('error', () => undefined)
      const [answer] = (await once(slow, 'response')) as [IncomingMessage]
      expect(answer.statusCode).toBe(408)
      slow.destroy()
    }
  })

  test('say all that is wrong with their settings in one line, and no value', async () => {
    const { code, stdout, stderr } = await runEntry('functions/server.ts', {
      PORT: 'eighty',
      READ_TIMEOUT: '-1s',
      DATABASE_URL: 'mysql://user:secret@host/db',
      TLS_CERT_FILE: '/cert.pem',
      CONFIG_PATH: '/missing.yaml',
    })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr.trim().split('\n')).toHaveLength(1)
    for (const name of ['PORT', 'READ_TIMEOUT', 'DATABASE_URL', 'TLS_KEY_FILE', 'CONFIG_PATH', 'IDENTITY_MODE'])
      expect(stderr).toContain(name)
    expect(stderr).not.toMatch(/secret|eighty|mysql:/)
  })
})

async function waitingOnLocks(): Promise<number> {
  const [row] = await db<{ total: number }[]>`select count(*) as total from pg_locks where not granted`
  return row!.total
}

describe('functions and bridge as processes of their own', () => {
  const env = () => ({
    IDENTITY_MODE: 'none',
    RUNTIME: 'local',
    DATA_DIR: entries.inFolder('data'),
    CATALOGUE_DIRS: CATALOGUE,
    TEST_RECORD: entries.inFolder('record'),
  })
  const startBridge = (callbackUrl: string) => start('k8s-bridge/main.ts', { ...env(), CALLBACK_URL: callbackUrl })

  test('carry a job from its submit to its end, and the bridge shows how things stand', async () => {
    const functions = await startFunctions({ IDENTITY_MODE: 'none' })
    const url = urlOf(functions)
    const bridge = await startBridge(url)
    const { resource } = (await (await submit(url, 'whole', {})).json()) as { resource: { id: string } }
    await vi.waitFor(
      async () =>
        expect(((await (await fetch(`${url}${JOBS}/${resource.id}`)).json()) as { status: { state: string } }).status.state).toBe(
          'completed',
        ),
      { timeout: 30_000, interval: 100 },
    )
    const samples = await vi.waitFor(
      async () => {
        const now = await scrape(bridge)
        expect(valueOf(now, 'evalhub_launch_wait_seconds_count') ?? 0).toBeGreaterThan(0)
        // The attempt ends when its run is settled, a moment after the job.
        expect(valueOf(now, 'evalhub_attempts_ended_total', { failure_class: 'none' }) ?? 0).toBeGreaterThan(0)
        return now
      },
      { timeout: 40_000, interval: 1000 },
    )
    expect(valueOf(samples, 'evalhub_evaluation_job_completions_total', { state: 'completed' })).toBeGreaterThan(0)
    expect(valueOf(samples, 'evalhub_evaluation_jobs_total', { action: 'created', runtime: 'local' })).toBeGreaterThan(0)
    expect(valueOf(samples, 'evalhub_database_up')).toBe(1)
    const base = String(bridge.ready.metrics_url).replace('/metrics', '')
    expect((await fetch(`${base}/healthz`)).status).toBe(200)
    expect((await fetch(`${base}/readyz`)).status).toBe(200)
    expect((await fetch(`${base}${JOBS}`)).status).toBe(404)
  })

  test('a second bridge that runs processes is refused while the first one lives', async () => {
    const functions = await startFunctions({ IDENTITY_MODE: 'none' })
    await startBridge(urlOf(functions))
    const second = await runEntry('k8s-bridge/main.ts', { ...env(), DATABASE_URL: server.url })
    expect(second).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^evalhub bridge: Another hub is running on this database: [^\n]*\n$/),
    })
  })

  // Guarantee: stopping a bridge takes no run's result; the next bridge gives it another attempt.
  test('a bridge that is stopped leaves its runs to the next one', async () => {
    const functions = await startFunctions({ IDENTITY_MODE: 'none' })
    const url = urlOf(functions)
    const first = await startBridge(url)
    const { resource } = (await (await submit(url, 'moved', {}, 3000)).json()) as { resource: { id: string } }
    const stateOf = async () => ((await (await fetch(`${url}${JOBS}/${resource.id}`)).json()) as { status: { state: string } }).status.state
    await vi.waitFor(async () => expect(await stateOf()).toBe('running'), { timeout: 30_000, interval: 100 })
    expect(await first.stop()).toMatchObject({ code: 0, stderr: '' })
    expect(await stateOf()).toBe('running')
    await startBridge(url)
    await vi.waitFor(async () => expect(await stateOf()).toBe('completed'), { timeout: 40_000, interval: 200 })
  })

  test('the bridge says all that is wrong with its settings in one line', async () => {
    const { code, stderr } = await runEntry('k8s-bridge/main.ts', { RUNTIME: 'local', LOG_RETENTION_DAYS: 'x', IDENTITY_MODE: 'oidc' })
    expect(code).toBe(1)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    for (const name of ['DATABASE_URL', 'LOG_RETENTION_DAYS', 'IDENTITY_MODE']) expect(stderr).toContain(name)
  })
})
