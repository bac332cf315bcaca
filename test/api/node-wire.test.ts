import { once } from 'node:events'
import { request, type IncomingMessage, type RequestOptions } from 'node:http'
import { connect as openSocket } from 'node:net'
import { text } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { describe, expect } from 'vitest'
import type { Pool } from '#db/client.ts'
import { test as onRunsServer } from '#db/test-db.ts'
import { JOB, MAX_BODY_BYTES } from '#functions/test-app.ts'
import { apiOf, serveOnNode } from './served.ts'

/** What only the wire shows: paths as they were sent, chunks, trailers, the order of bytes. */
const test = apiOf(onRunsServer, serveOnNode)

const MEBIBYTE = 1024 * 1024
const HEALTH = '/api/v1/health'

async function ask(url: string, path: string, options: RequestOptions = {}): Promise<IncomingMessage> {
  const { hostname, port } = new URL(url)
  const [answer] = await once(request({ hostname, port, path, agent: false, ...options }).end(), 'response')
  return answer as IncomingMessage
}

describe('a path that is not clean', () => {
  test.for([
    [`/${HEALTH}`, HEALTH],
    ['/api//v1///health', HEALTH],
    ['/api/v1/../v1/health', HEALTH],
    ['/api/v1/./health?a=1&b=%2F..', `${HEALTH}?a=1&b=%2F..`],
    ['/api/v1/%2e%2E/v1/health', HEALTH],
    ['/api/v1/evaluations//jobs/', '/api/v1/evaluations/jobs/'],
    ['/../../api/v1/health', HEALTH],
    ['//evil.example/..', '/'],
    ['//evil.example', '/evil.example'],
    ['/.//evil.example', '/evil.example'],
  ] as const)('%s leads to %s', async ([path, location], { served }) => {
    const { statusCode, headers } = await ask(served.url, path)
    expect({ status: statusCode, location: headers.location }).toEqual({ status: 301, location })
  })

  test.for(['/api/v1/health?next=//a/../b', '/api/v1/health?..'])('is none for its query: %s', async (path, { served }) => {
    expect((await ask(served.url, path)).statusCode).toBe(200)
  })

  test('never names another host, with backslashes either', async ({ served }) => {
    for (const path of ['/.//\\evil.example', '/\\evil.example/..', '/..//\\\\evil.example']) {
      const { statusCode, headers } = await ask(served.url, path)
      expect({ path, status: statusCode, location: headers.location }).toMatchObject({ location: undefined })
    }
  })
})

describe('a body that is too large', () => {
  test.for([
    ['says its length', { 'Content-Length': String(20 * MEBIBYTE) }],
    ['comes in chunks', {}],
  ] as const)('is answered while it is still being sent, if it %s', async ([, headers], { served }) => {
    const { hostname, port } = new URL(served.url)
    const sending = request({ hostname, port, path: '/api/v1/evaluations/jobs', method: 'POST', headers })
    const answered = once(sending, 'response')
    const piece = Buffer.alloc(MEBIBYTE, 'x')
    for (let sent = 0; sent < 20; sent++) if (!sending.write(piece)) await once(sending, 'drain')
    sending.end()
    const [answer] = (await answered) as [IncomingMessage]
    expect(answer.statusCode).toBe(413)
    const message = `The request body exceeds the maximum allowed size of ${MAX_BODY_BYTES} bytes.`
    expect(JSON.parse(await text(answer))).toMatchObject({ message_code: 'request_body_too_large', message })
  })
})

const LINE = `${'x'.repeat(127)}\n`

/** Puts a log of `pieces` pieces of a mebibyte in the place of the bridge. */
async function keepLog(db: Pool, id: string, pieces: number, index = 0) {
  const chunk = gzipSync(LINE.repeat(MEBIBYTE / LINE.length))
  await db`
    insert into evalhub.run_logs (evaluation_id, benchmark_index, attempt, container, seq, chunk, bytes, first_at, last_at)
    select ${id}, ${index}, 1, 'local', seq, ${chunk}, ${MEBIBYTE}, now(), now() from generate_series(0, ${pieces - 1}::int) as seq`
}

/** Reads an answer to its end without keeping it. */
async function measure(answer: IncomingMessage): Promise<number> {
  let bytes = 0
  for await (const part of answer) bytes += (part as Buffer).length
  return bytes
}

describe('a log', { timeout: 120_000 }, () => {
  const TWO = { ...JOB, benchmarks: [JOB.benchmarks[0], JOB.benchmarks[0]] }

  test('of 50 MiB is served whole, and says that nothing was cut off', async ({ served, call, db, tenant }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    await keepLog(db, id, 50)
    const header = `=== pod=${id}-0 container=local benchmark_id=first ===\n`
    for (const [path, more] of [
      [`/${id}/benchmarks/0/logs`, 0],
      [`/${id}/logs`, header.length],
    ] as const) {
      const answer = await ask(served.url, `/api/v1/evaluations/jobs${path}?tail_lines=-1`, { headers: { 'X-Tenant': tenant } })
      expect(answer.headers).toMatchObject({ trailer: 'X-Log-Truncated', 'content-type': 'text/plain; charset=utf-8' })
      expect(await measure(answer)).toBe(50 * MEBIBYTE + more)
      expect(answer.trailers).toEqual({})
    }
  })

  // Guarantee: a client that does not read makes the server hold no more than what the connection takes.
  test('is read no faster than its client takes it', async ({ served, call, db, tenant }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    await keepLog(db, id, 50)
    const path = `/api/v1/evaluations/jobs/${id}/logs?tail_lines=-1`
    const asked = () => ask(served.url, path, { headers: { 'X-Tenant': tenant } })
    const waiting = await asked()
    // In the time of this one the server would have read everything for the other, too.
    await measure(await asked())
    await db`delete from evalhub.run_logs where evaluation_id = ${id} and seq >= 30`
    const bytes = await measure(waiting)
    expect(bytes).toBeGreaterThanOrEqual(30 * MEBIBYTE)
    expect(bytes).toBeLessThan(31 * MEBIBYTE)
  })

  test('beyond 50 MiB is cut off, and a trailer says so', async ({ served, call, db, tenant }) => {
    const { id } = (await call('POST', '/jobs', TWO)).body.resource
    await keepLog(db, id, 40, 0)
    await keepLog(db, id, 11, 1)
    const answer = await ask(served.url, `/api/v1/evaluations/jobs/${id}/logs?tail_lines=-1`, { headers: { 'X-Tenant': tenant } })
    const bytes = await measure(answer)
    expect(bytes).toBeGreaterThanOrEqual(50 * MEBIBYTE)
    expect(bytes).toBeLessThan(50 * MEBIBYTE + 1000)
    expect(answer.trailers).toEqual({ 'x-log-truncated': 'true' })
  })

  test('is answered to a client of HTTP/1.0 too, which knows neither chunks nor trailers', async ({ served, call, db, tenant }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    await keepLog(db, id, 1)
    const socket = openSocket(Number(new URL(served.url).port), '127.0.0.1')
    const path = `/api/v1/evaluations/jobs/${id}/benchmarks/0/logs?tail_lines=2`
    socket.write(`GET ${path} HTTP/1.0\r\nHost: localhost\r\nX-Tenant: ${tenant}\r\n\r\n`)
    const answer = await text(socket)
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK/)
    expect(answer.split('\r\n\r\n')[1]).toBe((LINE + LINE).slice(0, -1))
    expect(answer).not.toMatch(/trailer|chunked/i)
  })

  test('ends with its connection when the database fails midway, and never as if it were whole', async ({ served, call, db, tenant }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    await keepLog(db, id, 3)
    await db`update evalhub.run_logs set chunk = 'no gzip' where evaluation_id = ${id} and seq = 2`
    const answer = await ask(served.url, `/api/v1/evaluations/jobs/${id}/logs?tail_lines=-1`, { headers: { 'X-Tenant': tenant } })
    await expect(measure(answer)).rejects.toThrow(/aborted/)
  })
})
