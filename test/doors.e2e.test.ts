import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { METHODS, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Postgres } from '#local/postgres.ts'
import { makeRunToken } from '#shared/run-token.ts'
import { runEntry, type EntryProcess } from './entry-process.ts'
import { parseMetrics } from './metrics-text.ts'
import { ownEntries } from './own-entries.ts'
import { startTemporary } from './start-postgres.ts'

const JOBS = '/api/v1/evaluations/jobs'
const KEY = 'the key of run tokens in these tests'
const SECRET = 'what-only-the-proxy-of-this-test-knows'
const ANN = { 'X-Tenant': 'red', 'X-User': 'ann' }
const ANYWHERE = { API_HOST: '0.0.0.0' }

let server: Postgres
const entries = ownEntries()

beforeAll(async () => {
  server = await startTemporary()
  expect(
    (await runEntry('k8s-bridge/migrate.ts', { DATABASE_URL: server.url, CATALOGUE_DIRS: join(import.meta.dirname, 'catalogue') })).code,
  ).toBe(0)
})
afterAll(() => server.stop())

const environment = (more: Record<string, string>) => ({
  DATABASE_URL: server.url,
  IDENTITY_MODE: 'headers',
  RUN_TOKEN_KEY: KEY,
  IDENTITY_REPORTERS: 'reporter',
  ...more,
})

const start = (more: Record<string, string> = {}) => entries.start('functions/server.ts', environment(more))

/** An address of the process as this machine reaches it. */
const urlOf = ({ ready }: EntryProcess, name: string) => String(ready[name]).replace('0.0.0.0', '127.0.0.1')

const JOB = { name: 'one', model: { url: 'http://localhost:1/v1', name: 'm' }, benchmarks: [{ provider_id: 'recorder', id: 'short' }] }
const RUNNING = { benchmark_status_event: { provider_id: 'recorder', id: 'short', benchmark_index: 0, status: 'running' } }

const send = (url: string, headers: Record<string, string>, body?: object) =>
  fetch(url, { headers, ...(body && { method: 'POST', body: JSON.stringify(body) }) })

async function submit(url: string, headers: Record<string, string> = ANN): Promise<{ id: string; token: { Authorization: string } }> {
  const answer = await send(url + JOBS, headers, JOB)
  expect(answer.status).toBe(202)
  const { id } = ((await answer.json()) as { resource: { id: string } }).resource
  const token = await makeRunToken(KEY, { evaluationId: id, benchmarkIndex: 0, attempt: 1 })
  return { id, token: { Authorization: `Bearer ${token}` } }
}

describe('functions that believe headers', () => {
  // Guarantee: what reaches the port for adapters, with any header and any token, is nobody but its run.
  test('take run tokens on a port of their own, where no header says who asks, and nowhere else', async () => {
    const functions = await start()
    const [api, events] = [urlOf(functions, 'url'), urlOf(functions, 'events_url')]
    const { id, token } = await submit(api)
    expect((await send(`${api}${JOBS}/${id}/events`, token, RUNNING)).status).toBe(401)
    for (const headers of [ANN, { ...ANN, ...token }, { 'X-Tenant': 'red', 'X-User': 'reporter' }]) {
      for (const path of [JOBS, `${JOBS}/${id}`, '/readyz', '/metrics', '/docs'])
        expect((await send(events + path, headers)).status).toBe(404)
    }
    expect((await send(`${events}${JOBS}/${id}/events`, { 'X-Tenant': 'red', 'X-User': 'reporter' }, RUNNING)).status).toBe(401)
    expect((await send(`${events}${JOBS}/${id}/events`, { ...token, 'X-Tenant': 'other' }, RUNNING)).status).toBe(204)
    expect((await send(`${events}/healthz`, {})).status).toBe(200)
    expect(JSON.stringify(functions.lines())).not.toContain('evalhub-run.')
  })

  test.each([{}, { METRICS_ENABLED: 'false' }])('answer probes where nobody need prove anything: %j', async (more) => {
    const functions = await start({ ...ANYWHERE, PROXY_SECRET: SECRET, ...more })
    const health = urlOf(functions, 'health_url')
    for (const path of ['/healthz', '/readyz']) expect((await fetch(health + path)).status).toBe(200)
    expect((await fetch(`${health}/metrics`)).status).toBe('METRICS_ENABLED' in more ? 404 : 200)
    expect((await send(health + JOBS, ANN)).status).toBe(404)
  })

  test('open to other machines do not start without a proxy that proves itself', async () => {
    const { code, stdout, stderr } = await runEntry('functions/server.ts', environment(ANYWHERE))
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^evalhub functions: [^\n]*API_HOST[^\n]*PROXY_CA_FILE[^\n]*PROXY_SECRET[^\n]*\n$/)
  })

  test('with a secret believe who brings it, and never log it', async () => {
    const functions = await start({ ...ANYWHERE, PROXY_SECRET: SECRET })
    const api = urlOf(functions, 'url')
    expect((await send(api + JOBS, ANN, JOB)).status).toBe(401)
    expect((await send(api + JOBS, { ...ANN, 'X-Proxy-Secret': SECRET.replace('w', 'W') }, JOB)).status).toBe(401)
    const { id, token } = await submit(api, { ...ANN, 'X-Proxy-Secret': SECRET })
    // A token of a run, and no secret, is all that an adapter has.
    expect((await send(`${urlOf(functions, 'events_url')}${JOBS}/${id}/events`, token, RUNNING)).status).toBe(204)
    const { stdout, stderr } = await functions.stop()
    expect(stdout + stderr).not.toContain(SECRET)
  })

  // Guarantee: no client chooses a time series, nor a line in the log of errors.
  test('take what no client should send without an error, and measure it under few names', async () => {
    const functions = await start()
    const { hostname: host, port } = new URL(urlOf(functions, 'url'))
    const send = async (method: string, path: string, Host: string) => {
      const asked = httpRequest({ host, port, method, path, headers: { ...ANN, Host }, agent: false })
      asked.on('error', () => undefined).end()
      const [answer] = (await once(asked, 'response')) as [IncomingMessage]
      answer.resume()
      return answer.statusCode
    }
    const methods = METHODS.filter((method) => method !== 'CONNECT')
    for (const [at, method] of methods.entries()) {
      for (const path of [JOBS, `/nowhere/${at}`, `${JOBS}/${at}`, `/docs/${at}`])
        expect(await send(method, path, 'localhost')).toBeLessThan(500)
      expect(await send(method, `${JOBS}?a=${at}`, `${at + 256}.1.1.1`)).toBe(400)
    }
    const hosts = ['256.256.256.256', '1.2.3.4.5', 'a.1', '999999999999', 'localhost:99999', '[::1', 'a b', '%41']
    for (const host of hosts) for (const path of ['/healthz', JOBS, '/nowhere', '/docs']) expect(await send('GET', path, host)).toBe(400)
    const samples = parseMetrics(await (await fetch(urlOf(functions, 'metrics_url'))).text())
    const namesOf = (label: string) => new Set(samples.flatMap(({ labels }) => labels[label] ?? []))
    expect([...namesOf('http_request_method')].sort()).toEqual(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', '_OTHER'])
    expect([...namesOf('http_route')].sort()).toEqual([JOBS, `${JOBS}/{job_id}`, '/docs', '/docs/{file}', '/healthz', 'not_found'].sort())
    // Whoever was refused before any route was asked has its status, too.
    expect([...namesOf('http_response_status_code')].sort()).toEqual(['200', '400', '404', '405'])
    expect(functions.lines().filter(({ level }) => level === 'error')).toEqual([])
  })
})

type Pair = { cert: string; key: string }

const openssl = (...args: string[]) => promisify(execFile)('openssl', args, { cwd: entries.inFolder() })

/** A key, and a certificate of that authority for it; of its own without one. */
async function certify(name: string, authority?: string): Promise<Pair> {
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${name}.key`]
  const by =
    authority === undefined ? [] : ['-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-addext', 'basicConstraints=CA:FALSE']
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  await openssl('req', '-x509', '-days', '1', ...newKey, '-out', `${name}.pem`, ...subject, ...by)
  return { cert: await readFile(entries.inFolder(`${name}.pem`), 'utf8'), key: await readFile(entries.inFolder(`${name}.key`), 'utf8') }
}

/** The status, or why there is none. */
async function ask(url: string, options: RequestOptions, body?: object): Promise<number | string> {
  const asked = httpsRequest(url, { agent: false, method: body ? 'POST' : 'GET', ...options })
  asked.end(body && JSON.stringify(body))
  try {
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    answer.resume()
    return answer.statusCode ?? 0
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

describe('functions whose proxy has a certificate', () => {
  const withAuthority = async () => {
    const own = await certify('server')
    await certify('authority')
    const [TLS_CERT_FILE, TLS_KEY_FILE, PROXY_CA_FILE] = ['server.pem', 'server.key', 'authority.pem'].map((name) =>
      entries.inFolder(name),
    ) as [string, string, string]
    return { own, settings: { ...ANYWHERE, TLS_CERT_FILE, TLS_KEY_FILE, PROXY_CA_FILE } }
  }

  test('speak to nobody else, but take run tokens of those who have none', async () => {
    const { own, settings } = await withAuthority()
    const [proxy, stranger] = [await certify('proxy', 'authority'), await certify('stranger')]
    await certify('impostor')
    const forged = await certify('forged', 'impostor')
    const functions = await start(settings)
    const [api, events] = [urlOf(functions, 'url'), urlOf(functions, 'events_url')]
    for (const path of [JOBS, '/healthz', '/docs']) {
      expect(await ask(api + path, { ca: own.cert, headers: ANN, ...proxy })).toBe(200)
      for (const other of [{}, stranger, forged, own]) {
        expect(await ask(api + path, { ca: own.cert, headers: ANN, ...other })).toMatch(/ECONNRESET|ERR_SSL|EPIPE/)
      }
    }
    const none = '00000000-0000-7000-8000-000000000000'
    expect(await ask(`${events}${JOBS}/${none}/events`, { ca: own.cert, headers: ANN }, RUNNING)).toBe(401)
    const Authorization = `Bearer ${await makeRunToken(KEY, { evaluationId: none, benchmarkIndex: 0, attempt: 1 })}`
    expect(await ask(`${events}${JOBS}/${none}/events`, { ca: own.cert, headers: { Authorization } }, RUNNING)).toBe(404)
  })

  test('ask for it after their own was renewed, too', async () => {
    const { settings } = await withAuthority()
    const proxy = await certify('proxy', 'authority')
    const functions = await start(settings)
    const renewed = await certify('server')
    const api = `${urlOf(functions, 'url')}/healthz`
    await expect.poll(() => ask(api, { ca: renewed.cert, ...proxy }), { timeout: 10_000 }).toBe(200)
    expect(await ask(api, { ca: renewed.cert, ...(await certify('stranger')) })).toMatch(/ECONNRESET|ERR_SSL|EPIPE/)
    expect(await ask(api, { ca: renewed.cert })).toMatch(/ECONNRESET|ERR_SSL|EPIPE/)
  })

  // Guarantee: a file that names nobody is no file that trusts everybody.
  test('do not start with an authority that is none', async () => {
    const { settings } = await withAuthority()
    for (const text of ['', 'nonsense', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n']) {
      await writeFile(entries.inFolder('authority.pem'), text)
      const { code, stderr } = await runEntry('functions/server.ts', environment(settings))
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('PROXY_CA_FILE must name certificates in PEM') })
    }
  })
})
