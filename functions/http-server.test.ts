import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, test, vi } from 'vitest'
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
  ['two names', 'GET / HTTP/1.1\r\nHost: h\r\nhost: other'],
  ['one name twice', 'GET / HTTP/1.1\r\nHost: h\r\nHOST: h'],
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

const begunBy = async (head: string) => {
  const asked = vi.fn<(request: Request) => Response>(() => new Response())
  const server = await openHttpServer(asked, PLACE)
  const answer = await answerTo(head, server)
  await server.close()
  return { asked: asked.mock.calls.map(([{ url }]) => url), status: Number(answer.split(' ')[1]) }
}

test('a request without a host is refused', async () => {
  expect(await begunBy('GET / HTTP/1.1')).toEqual({ asked: [], status: 400 })
})

test('an expectation that nobody knows is overlooked', async () => {
  expect(await begunBy('GET / HTTP/1.1\r\nHost: h\r\nExpect: x')).toEqual({ asked: ['http://h/'], status: 200 })
})

// Guarantee: what is judged by the target that was sent is judged by what is routed.
test.for([
  ['GET /jobs#/logs HTTP/1.1\r\nHost: h', 'a fragment'],
  ['GET /#a HTTP/1.1\r\nHost: h', 'a fragment'],
  ['GET http://other/jobs HTTP/1.1\r\nHost: h', 'a URL of another host'],
  ['GET http://h@other/jobs HTTP/1.1\r\nHost: h', 'a URL of another host'],
  ['GET http://h:81/jobs HTTP/1.1\r\nHost: h', 'a URL of another port'],
  ['GET ftp://h/jobs HTTP/1.1\r\nHost: h', 'a URL that is none of HTTP'],
  ['GET http:/h/jobs HTTP/1.1\r\nHost: h', 'no URL'],
  ['GET jobs HTTP/1.1\r\nHost: h', 'no path'],
  ['OPTIONS * HTTP/1.1\r\nHost: h', 'no path'],
] as const)('%s names %s, and is refused', async ([head]) => {
  expect(await begunBy(head)).toEqual({ asked: [], status: 400 })
})

test.for([
  ['http://h.example:81/jobs?a=//b', 'http://h.example:81/jobs?a=//b'],
  ['HTTPS://H.example:81/jobs', 'http://h.example:81/jobs'],
  ['http://h.example:81', 'http://h.example:81/'],
  ['http://h.example:81?a', 'http://h.example:81/?a'],
] as const)('a request that names its whole URL, %s, is one for its path', async ([target, url]) => {
  expect(await begunBy(`GET ${target} HTTP/1.1\r\nHost: h.example:81`)).toEqual({ asked: [url], status: 200 })
})

const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`

/** A server that answers when it is told to. */
async function slowServer() {
  const begun: { path: string; answer: () => void }[] = []
  const watched: (string | undefined)[] = []
  const server = await openHttpServer(
    ({ url }) =>
      new Promise<Response>((resolve) => {
        const { pathname: path } = new URL(url)
        begun.push({ path, answer: () => resolve(new Response(`answer to ${path}.`)) })
      }),
    { ...PLACE, onRequest: ({ url }) => void watched.push(url) },
  )
  const paths = () => begun.map(({ path }) => path)
  return { server, begun, watched, paths }
}

describe('of the requests of one connection', () => {
  // Guarantee: what one packet of a stranger makes a hub do is one request, however many it holds.
  test('none begins before the answer to the one before is sent, and who sends more than three ahead is cut off', async () => {
    const { server, watched, paths } = await slowServer()
    const socket = connect(server.port, '127.0.0.1')
    socket.write(request('/a').repeat(2000))
    await text(socket).catch(() => '')
    expect([paths(), watched]).toEqual([['/a'], ['/a']])
    const next = connect(server.port, '127.0.0.1')
    next.write(request('/b'))
    await vi.waitFor(() => expect(paths()).toEqual(['/a', '/b']))
    next.destroy()
    await server.close(0)
  })

  test.for([
    ['without a Host', 'GET /b HTTP/1.1\r\n\r\n'],
    ['with an unknown Expect', 'GET /b HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n'],
  ] as const)('who sends more than three ahead %s, which Node would answer itself, is cut off too', async ([, ahead]) => {
    const { server, paths } = await slowServer()
    const socket = connect(server.port, '127.0.0.1')
    socket.write(request('/a') + ahead.repeat(1000))
    await text(socket).catch(() => '')
    expect(paths()).toEqual(['/a'])
    await server.close(0)
  })

  test('one that is sent ahead is answered in its turn, and so is the next one', async () => {
    const { server, begun, watched, paths } = await slowServer()
    const socket = connect(server.port, '127.0.0.1')
    let said = ''
    socket.on('data', (chunk: Buffer) => (said += chunk.toString()))
    socket.write(request('/1') + `POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc`)
    await vi.waitFor(() => expect(paths()).toEqual(['/1']))
    // What was sent together has been read together.
    expect(watched).toEqual(['/1'])
    begun[0]?.answer()
    await vi.waitFor(() => expect(paths()).toEqual(['/1', '/2']))
    socket.write(request('/3'))
    begun[1]?.answer()
    await vi.waitFor(() => expect(paths()).toEqual(['/1', '/2', '/3']))
    begun[2]?.answer()
    await vi.waitFor(() => expect(said.match(/answer to [^.]+/g)).toEqual(['answer to /1', 'answer to /2', 'answer to /3']))
    socket.destroy()
    await server.close(0)
  })

  test('one that was sent ahead never begins if its connection ends before', async () => {
    const { server, begun, paths } = await slowServer()
    const socket = connect(server.port, '127.0.0.1')
    socket.write(request('/1') + request('/2'))
    await vi.waitFor(() => expect(paths()).toEqual(['/1']))
    socket.destroy()
    await vi.waitFor(async () => expect(await new Promise((resolve) => server.server.getConnections((_, count) => resolve(count)))).toBe(0))
    begun[0]?.answer()
    await server.close()
    expect(paths()).toEqual(['/1'])
  })
})

// Guarantee: nobody waits for what will not come, though the request was answered before all of it had.
test('a request that was answered before its end ends with its connection', async () => {
  let body: Request['body'] = null
  const answer = (request: Request) => {
    body = request.body
    return new Response('no')
  }
  const server = await openHttpServer(answer, PLACE)
  const socket = connect(server.port, '127.0.0.1')
  socket.write('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{')
  await once(socket, 'data')
  socket.destroy()
  await expect(text(body!)).rejects.toThrow('aborted')
  await server.close()
})
