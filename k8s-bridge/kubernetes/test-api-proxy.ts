import { once } from 'node:events'
import { Agent as PlainAgent, createServer as createPlainServer, request as requestPlain } from 'node:http'
import { Agent as TlsAgent, createServer as createTlsServer, request as requestTls } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Stands between a client and the API server, and can be as bad as a network or an overloaded server is. */
export type TestApiProxy = {
  url: string
  /** Paths and queries that were asked for. */
  asked: string[]
  /** Breaks all connections. */
  cut(): void
  /** While true, new connections are broken at once. */
  setRefusing(isRefusing: boolean): void
  /** What the server sends to who asks for such paths is held back from now on, and connections stay open; undefined: to nobody. */
  silence(paths: RegExp | undefined): void
  /** The next requests are answered so, one a status. */
  answerNext(statuses: readonly number[], headers?: Record<string, string>): void
  /** From now on, until it is called with nothing. */
  handicap(handicap: Handicap): void
  close(): Promise<void>
}

export type Handicap = {
  /** Time by which every request is late. */
  delayMs?: number
  /** Share of the requests that are answered with one of `statuses` in place of being passed on. */
  refusedShare?: number
  statuses?: readonly number[]
  /** Share of the requests that are passed on and never answered: the connection breaks. */
  unansweredShare?: number
}

/** `tls` is what the API server itself shows, so that who trusts it trusts the proxy; without it both speak plain HTTP. */
export async function startApiProxy(target: string, tls?: { cert: string; key: string }): Promise<TestApiProxy> {
  const sockets = new Set<Socket>()
  const agent = tls ? new TlsAgent({ keepAlive: true, rejectUnauthorized: false }) : new PlainAgent({ keepAlive: true })
  const request = tls ? requestTls : requestPlain
  const asked: string[] = []
  let isRefusing = false
  let silent: RegExp | undefined
  let answers: number[] = []
  let headers: Record<string, string> = {}
  let handicap: Handicap = {}

  const forward = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const isSilent = () => silent?.test(incoming.url ?? '') ?? false
    const isUnanswered = Math.random() < (handicap.unansweredShare ?? 0)
    const onward = request(`${target}${incoming.url}`, { agent, method: incoming.method ?? 'GET', headers: incoming.headers }, (answer) => {
      if (isUnanswered) return void outgoing.destroy()
      if (isSilent()) return void answer.resume()
      outgoing.writeHead(answer.statusCode ?? 0, answer.headers)
      outgoing.flushHeaders()
      answer.on('data', (piece) => void (isSilent() || outgoing.write(piece)))
      answer.on('end', () => void (isSilent() || outgoing.end()))
      answer.on('error', () => outgoing.destroy())
    })
    onward.on('error', () => outgoing.destroy())
    outgoing.on('close', () => onward.destroy())
    incoming.pipe(onward)
  }
  const handicappedStatus = () => {
    const { refusedShare = 0, statuses = [500] } = handicap
    return Math.random() < refusedShare ? statuses[Math.floor(Math.random() * statuses.length)] : undefined
  }
  const take = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    asked.push(incoming.url ?? '')
    const status = answers.shift() ?? handicappedStatus()
    if (status !== undefined) return void outgoing.writeHead(status, headers).end('the server is busy')
    if (handicap.delayMs) setTimeout(forward, handicap.delayMs, incoming, outgoing)
    else forward(incoming, outgoing)
  }
  const server = tls ? createTlsServer(tls, take) : createPlainServer(take)
  server.on('connection', (socket: Socket) => {
    if (isRefusing) return void socket.destroy()
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    asked,
    cut,
    setRefusing: (refusing) => void (isRefusing = refusing),
    silence: (paths) => void (silent = paths),
    answerNext: (statuses, moreHeaders = {}) => {
      answers = [...statuses]
      headers = moreHeaders
    },
    handicap: (next) => void (handicap = next),
    close: async () => {
      cut()
      agent.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
