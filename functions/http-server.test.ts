import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, test, vi } from 'vitest'
import { openHttpServer, type HttpServer } from './http-server.ts'

const PLACE = { host: '127.0.0.1', port: 0, portName: '--port' }

/** What a server that tells each URL answers to this head, up to the end of the connection. */
async function answerTo(head: string, { port }: HttpServer): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(`${head}\r\nConnection: close\r\n\r\n`)
  return text(socket)
}

const HAN = '%E6%A8%A1'.repeat(5000)

// Guarantee: nobody who reaches a port, with or without a credential, takes the time of others by the name that it calls the hub by.
test.for([
  ['a long name', `GET / HTTP/1.1\r\nHost: ${HAN}`],
  ['a name longer than any by a character', `GET / HTTP/1.1\r\nHost: ${'h'.repeat(263)}`],
  ['letters that no name of DNS has', 'GET / HTTP/1.1\r\nHost: h\u00e4'],
  ['a user', 'GET / HTTP/1.1\r\nHost: a@b'],
  ['a long name in the request line', `GET http://${HAN}/ HTTP/1.1\r\nHost: h`],
] as const)('a request whose host has %s is refused before it is read as a URL', async ([, head]) => {
  const asked = vi.fn<(request: Request) => Response>(() => new Response())
  const server = await openHttpServer(asked, PLACE)
  const reads = vi.spyOn(globalThis, 'URL')
  expect(await answerTo(head, server)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
  expect(reads).not.toHaveBeenCalled()
  reads.mockRestore()
  expect(asked).not.toHaveBeenCalled()
  await server.close()
})

test.for(['h', 'H.example:8080', 'my_host:80', '127.0.0.1:1', '[::1]:8080', `${'h'.repeat(63)}.example`])(
  'a request for %s is answered',
  async (host) => {
    const server = await openHttpServer(() => new Response('hello'), PLACE)
    expect(await answerTo(`GET / HTTP/1.1\r\nHost: ${host}`, server)).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    await server.close()
  },
)

// Guarantee: what strangers may take of memory is bounded, connections times headers.
test('connections beyond those that are taken are closed unread, and others are answered', async () => {
  const limits = {
    readTimeoutMs: 15_000,
    readHeaderTimeoutMs: 15_000,
    idleTimeoutMs: 60_000,
    maxHeaderBytes: 16_384,
    maxClientConnections: 2,
  }
  const server = await openHttpServer(() => new Response('hello'), { ...PLACE, limits })
  const held = [connect(server.port, '127.0.0.1'), connect(server.port, '127.0.0.1')]
  await Promise.all(held.map((socket) => once(socket, 'connect')))
  const beyond = connect(server.port, '127.0.0.1')
  expect(await text(beyond)).toBe('')
  held[0]?.write('GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
  expect(await text(held[0]!)).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  held[1]?.destroy()
  await server.close()
})

test('headers of more than 64 KiB are refused', async () => {
  const server = await openHttpServer(() => new Response(), PLACE)
  expect(await answerTo(`GET / HTTP/1.1\r\nHost: h\r\nlong: ${'x'.repeat(65_536)}`, server)).toMatch(/^HTTP\/1\.1 431 /)
  await server.close()
})
