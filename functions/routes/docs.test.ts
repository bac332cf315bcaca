import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { expect, vi } from 'vitest'
import { createApp } from '../app.ts'
import { createHealthApp } from '../health-app.ts'
import { openHttpServer } from '../http-server.ts'
import { optionsOn, test as base } from '../test-app.ts'

/** More than the sockets of one connection take. */
const LONG = 32 * 1024 * 1024

/** `hub`: the app as Node serves it, with files for the page that are long. `ask`: one request on a connection of its own. */
const test = base
  .extend('findDocsFile', () => vi.fn(async () => new Uint8Array(LONG)))
  .extend('hub', async ({ db, findDocsFile }, { onCleanup }) => {
    const app = createApp({ ...(await optionsOn(db, { mode: 'none' })), findDocsFile })
    const server = await openHttpServer(app.fetch, { host: '127.0.0.1', port: 0, portName: '--port' })
    onCleanup(() => server.close(0))
    return server
  })

async function ask({ port }: { port: number }, path: string, headers: Record<string, string> = {}) {
  const [answer] = (await once(get({ host: '127.0.0.1', port, path, headers, agent: false }), 'response')) as [IncomingMessage]
  return { status: answer.statusCode, headers: answer.headers, body: await buffer(answer) }
}

const PATHS = ['/openapi.yaml', '/openapi.json', '/docs', '/docs/start.js', '/docs/swagger-ui.css', '/docs/swagger-ui-bundle.js']

test.for(PATHS)('%s is made once, and who has it is sent nothing', async (path, { hub, findDocsFile }) => {
  const first = await ask(hub, path)
  const encoded = vi.spyOn(TextEncoder.prototype, 'encode')
  const second = await ask(hub, path)
  const { etag = '' } = first.headers
  expect(first.status).toBe(200)
  expect(etag).toMatch(/^"[0-9a-f]{64}"$/)
  expect(second.headers.etag).toBe(etag)
  expect(second.body.equals(first.body)).toBe(true)
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const { status, headers, body } = await ask(hub, path, { 'If-None-Match': known })
    expect([status, headers.etag, body.length]).toEqual([304, etag, 0])
  }
  expect((await ask(hub, path, { 'If-None-Match': '"other"' })).status).toBe(200)
  expect(findDocsFile.mock.calls.length).toBeLessThan(2)
  expect(encoded).not.toHaveBeenCalled()
  encoded.mockRestore()
})

// Guarantee: what strangers leave unread takes a bounded part of the memory, and nothing from anybody who asks for something else.
test('at most 16 answers of the documentation are under way, and others are told to come again', async ({ hub }) => {
  const unread = Array.from({ length: 16 }, () => connect(hub.port, '127.0.0.1').pause())
  for (const socket of unread) socket.write('GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await vi.waitFor(async () => {
    const { status, headers } = await ask(hub, '/openapi.json')
    expect([status, headers['retry-after']]).toEqual([503, '2'])
  })
  for (const path of ['/healthz', '/readyz', '/api/v1/evaluations/jobs']) expect((await ask(hub, path)).status).toBe(200)
  unread[0]?.destroy()
  await vi.waitFor(async () => expect((await ask(hub, '/openapi.json')).status).toBe(200))
  for (const socket of unread) socket.destroy()
})

test('at most 32 scrapes are under way, others are told to come again, and probes are answered', async ({ db }) => {
  const { promise: metrics, resolve: finish } = Promise.withResolvers<{ type: string; bytes: Uint8Array<ArrayBuffer> }>()
  const app = createHealthApp({ ...(await optionsOn(db, { mode: 'none' })), readMetrics: () => metrics })
  const server = await openHttpServer(app.fetch, { host: '127.0.0.1', port: 0, portName: '--port' })
  const scrapes = Array.from({ length: 40 }, () => ask(server, '/metrics'))
  expect(await Promise.race(scrapes)).toMatchObject({ status: 503, headers: { 'retry-after': '2' } })
  for (const path of ['/healthz', '/readyz']) expect((await ask(server, path)).status).toBe(200)
  finish({ type: 'text/plain', bytes: new TextEncoder().encode('up 1\n') })
  const statuses = (await Promise.all(scrapes)).map(({ status }) => status)
  expect(statuses.filter((status) => status === 200)).toHaveLength(32)
  expect((await ask(server, '/metrics')).body.toString()).toBe('up 1\n')
  await server.close(0)
})
