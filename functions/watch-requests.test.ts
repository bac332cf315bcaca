import { connect } from 'node:net'
import { Hono } from 'hono'
import { expect, test, vi } from 'vitest'
import type { AppEnv } from './env.ts'
import { openHttpServer } from './http-server.ts'
import { requestLog } from './middleware/request-log.ts'
import { watchRequests } from './watch-requests.ts'

const endless = () => new Response(new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('begun')) }))

// Guarantee: nobody keeps an answer for as long as a log by what its target looks like.
test('the time to send an answer is that of the route which answers, however the target is written', async () => {
  const { onAnswered, onRequest } = watchRequests({ sendLimitMs: (route) => (route?.endsWith('/logs') ? 600_000 : 300) })
  const app = new Hono<AppEnv>()
  app.use(requestLog(onAnswered))
  app.get('/jobs', endless).get('/jobs/:id/logs', endless)
  app.notFound(endless)
  const server = await openHttpServer(app.fetch, { host: '127.0.0.1', port: 0, portName: '--port', onRequest })
  const ask = (target: string) => {
    const socket = connect(server.port, '127.0.0.1')
    socket.write(`GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`)
    const ask = { said: '', isOver: false, socket }
    socket.on('data', (chunk: Buffer) => (ask.said += chunk.toString()))
    socket.once('close', () => (ask.isOver = true))
    return ask
  }
  const long = ['/jobs/1/logs', '/jobs/1/%6cogs?a'].map(ask)
  await vi.waitFor(() => expect(long.map(({ said }) => said.includes('begun'))).toEqual([true, true]))
  const short = ['/jobs', '/jobs?/logs', '/jobs/?/logs', '/nowhere/logs'].map(ask)
  await vi.waitFor(() => expect(short.map(({ said, isOver }) => said.includes('begun') && isOver)).toEqual([true, true, true, true]))
  expect(long.map(({ isOver }) => isOver)).toEqual([false, false])
  for (const { socket } of long) socket.destroy()
  await server.close(0)
})
