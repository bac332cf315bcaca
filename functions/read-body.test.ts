import { connect as openSocket } from 'node:net'
import { expect, test, vi } from 'vitest'
import { connect } from '#db/client.ts'
import type { AnsweredRequest } from './env.ts'
import { openHttpServer } from './http-server.ts'
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
