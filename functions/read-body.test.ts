import { Hono } from 'hono'
import { connect as openSocket } from 'node:net'
import { expect, test, vi } from 'vitest'
import { connect } from '#db/client.ts'
import type { AnsweredRequest, AppEnv } from './env.ts'
import { openHttpServer } from './http-server.ts'
import { createMemory } from './memory.ts'
import { readBody } from './read-body.ts'
import { appWithout } from './test-app.ts'

// Guarantee: nobody is woken because a client went away.
test.for([
  ['says its length', 'Content-Length: 100\r\n\r\n{'],
  ['comes in chunks', 'Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n'],
] as const)('a body that breaks off is the client’s error and not logged as the hub’s, if it %s', async ([, start]) => {
  const db = connect('postgres://nobody@127.0.0.1:1/none')
  const errors: string[] = []
  const answered: AnsweredRequest[] = []
  const app = appWithout(db, errors, (request) => answered.push(request))
  const server = await openHttpServer(app.fetch, { host: '127.0.0.1', port: 0, portName: '--port' })
  const socket = openSocket(server.port, '127.0.0.1')
  socket.write(`POST /api/v1/evaluations/jobs HTTP/1.1\r\nHost: localhost\r\n${start}`, () => setImmediate(() => socket.destroy()))
  await vi.waitFor(() => expect(answered).toMatchObject([{ status: 400 }]))
  expect(errors).toEqual([])
  await server.close()
  await db.end({ timeout: 0 })
})

// Guarantee: who sends each byte by itself makes nobody hold an object for each.
test('no piece of a body that comes in chunks is kept: it is copied, and its place is reserved', async () => {
  const text = JSON.stringify(Array.from({ length: 100 }, (_, at) => at))
  // A piece that is kept would be seen to change.
  const piece = new Uint8Array(1)
  async function* body() {
    for (const byte of new TextEncoder().encode(text)) {
      piece[0] = byte
      yield piece
    }
  }
  const memory = createMemory({ bytes: 128 * 1024 * 1024, waitMs: 0 }).open('a')
  const app = new Hono<AppEnv>().post('/', async (c) => {
    c.set('memory', memory)
    Object.defineProperty(c.req, 'raw', { value: { body: body(), headers: new Headers() } })
    return c.text(await readBody(c, 1_000_000))
  })
  expect(await (await app.request('/', { method: 'POST' })).text()).toBe(text)
})

// Guarantee: no bytes are kept that are not counted, nor counted ones that others wait for and nobody works on.
test.for([
  ['says its length', true],
  ['comes in chunks', false],
] as const)('a body that waits for the memory of its values gives its own to who waits for that, if it %s', async ([, saysLength]) => {
  const { open, held } = createMemory({ bytes: 128 * 1024 * 1024, waitMs: 10_000 })
  void open('a').reserve(18 * 1024 * 1024)
  const body = JSON.stringify('x'.repeat(20_000_000))
  const app = new Hono<AppEnv>().post('/', async (c) => {
    c.set('memory', open('a'))
    return c.text(await readBody(c, 100_000_000).catch(String))
  })
  const headers = saysLength ? { 'Content-Length': String(body.length) } : undefined
  const answer = app.request('/', { method: 'POST', body, ...(headers && { headers }) })
  await vi.waitFor(() => expect(held().large_bodies).toBeGreaterThan(body.length - 1))
  const other = open('b')
  await other.reserveBody(20 * 1024 * 1024, () => false)
  expect(await (await answer).text()).toContain('its memory is needed for what others send')
  other.release()
  expect(held().large_bodies).toBe(0)
})
