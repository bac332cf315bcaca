import { createAdaptorServer } from '@hono/node-server'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { statusOf } from '#shared/errors.ts'
import { oneAtATime } from '#shared/one-at-a-time.ts'
import type { Tls } from './tls.ts'

type Fetch = Parameters<typeof createAdaptorServer>[0]['fetch']

/** What a server takes of one connection, and how many of them. Times are those of the published server unless told. */
export type ConnectionLimits = {
  readTimeoutMs: number
  readHeaderTimeoutMs: number
  idleTimeoutMs: number
  maxHeaderBytes: number
  /** Those beyond are closed before anything is read of them. */
  maxClientConnections: number
}

const USUAL: ConnectionLimits = {
  readTimeoutMs: 15_000,
  readHeaderTimeoutMs: 15_000,
  idleTimeoutMs: 60_000,
  maxHeaderBytes: 65_536,
  maxClientConnections: 3000,
}

export type HttpServerOptions = {
  host: string
  /** 0 takes a free one. */
  port: number
  /** With it HTTPS is served, by TLS 1.2 or 1.3; with an authority in it, only to those who have a certificate of it. */
  tls?: Tls
  limits?: ConnectionLimits
  /** Told of each request when it begins. */
  onRequest?: (request: IncomingMessage, response: ServerResponse) => void
  /** What the operator sets the port with, for the sentence that says it is taken. */
  portName: string
}

export type HttpServer = {
  port: number
  server: Server
  /**
   * Takes no more connections and resolves when the requests under way are answered. Those that are not after `withinMs` are cut off.
   */
  close(withinMs?: number): Promise<void>
}

/** Serves `fetch`, one request of a connection at a time. Throws one line that says why it cannot. */
export async function openHttpServer(fetch: Fetch, options: HttpServerOptions): Promise<HttpServer> {
  const server = makeServer(fetch, options)
  const { host, port } = options
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(new Error(complaint(cause, options), { cause })))
    server.listen(port, host, resolve)
  })
  // A server that listens on TCP has an address of this form.
  return { port: (server.address() as AddressInfo).port, server, close: (withinMs) => close(server, withinMs) }
}

/** How often connections that have missed their time are looked for. */
const CHECK_INTERVAL_MS = 1000

function makeServer(fetch: Fetch, { tls, limits = USUAL, onRequest }: HttpServerOptions): Server {
  const serverOptions = {
    maxHeaderSize: limits.maxHeaderBytes,
    requestTimeout: limits.readTimeoutMs,
    headersTimeout: Math.min(limits.readHeaderTimeoutMs, limits.readTimeoutMs),
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    // What Node would answer itself, `oneAtATime` would not see: a request without a host is refused below.
    requireHostHeader: false,
  }
  // Neither form makes an HTTP/2 server, and the adapter's options are of any.
  const server = createAdaptorServer({
    fetch,
    serverOptions: tls ? { ...serverOptions, ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: true } : serverOptions,
    createServer(own: ServerOptions, answer: RequestListener) {
      const readTarget = refuseOddTarget(answer)
      const listener: RequestListener = oneAtATime((request: IncomingMessage, response: ServerResponse<IncomingMessage>) => {
        onRequest?.(request, response)
        readTarget(request, response)
      })
      const server = tls ? createTlsServer(own, listener) : createServer(own, listener)
      // An expectation that nobody knows may be overlooked (RFC 9110, 10.1.1).
      return server.on('checkExpectation', listener)
    },
  } as Parameters<typeof createAdaptorServer>[0]) as Server
  server.maxConnections = limits.maxClientConnections
  server.prependListener('request', endWithConnection())
  return server
}

/**
 * Ends each request with its connection. Node does so until it was answered: of one that was answered before all of it had come, nobody would be told
 * that the rest will not come.
 */
function endWithConnection(): RequestListener {
  const underWay = new WeakMap<Socket, Set<IncomingMessage>>()
  return (request) => {
    const { socket } = request
    let requests = underWay.get(socket)
    if (!requests) {
      const own = (requests = new Set())
      underWay.set(socket, own)
      socket.once('close', () => own.forEach((one) => one.destroy()))
    }
    requests.add(request)
    request.once('close', () => requests.delete(request))
  }
}

/** A name of DNS and a port. */
const HOST_MAX = 262

/**
 * Before anything reads it as a URL, which for a long host takes the square of its length: refused are bytes that no host has, no `Host` or more
 * than one, and what names no path of that host. What names a whole URL (RFC 9112, 3.2.2) is from here on as if it named the path.
 */
const refuseOddTarget =
  (answer: RequestListener): RequestListener =>
  (request, response) => {
    const path = pathOf(request)
    if (path !== undefined) {
      request.url = path
      return answer(request, response)
    }
    // What else is sent is not read.
    response.writeHead(statusOf('request_validation_failed'), { Connection: 'close', 'Content-Length': 0 }).end()
    return undefined
  }

/** Path and query of the target. Undefined: it has none, or one that begins a fragment, or the host is none or not the one that `Host` names. */
function pathOf({ httpVersion, headers, rawHeaders, url = '' }: IncomingMessage): string | undefined {
  const { host = '' } = headers
  if (headers.host === undefined && httpVersion !== '1.0') return undefined
  if (host.length > HOST_MAX || /[^\w.~%:[\]!$&'()*+,;=-]/.test(host) || namesHostAgain(rawHeaders) || url.includes('#')) return undefined
  if (url.startsWith('/')) return url
  const [whole, named, rest = ''] = /^https?:\/\/([^/?]*)(.*)$/i.exec(url) ?? []
  if (whole === undefined || named?.toLowerCase() !== host.toLowerCase()) return undefined
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** Node takes the first and forgets the others; who stands before it may take another. */
function namesHostAgain(rawHeaders: readonly string[]): boolean {
  let names = 0
  // Names and values take turns.
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length === 4 && name.toLowerCase() === 'host') names++
  }
  return names > 1
}

function complaint({ code, message }: NodeJS.ErrnoException, { host, port, portName }: HttpServerOptions): string {
  if (code === 'EADDRINUSE') return `Port ${port} on ${host} is taken: stop what listens there, or choose another with ${portName}`
  if (code === 'EACCES') return `Port ${port} on ${host} needs more rights: choose one above 1023 with ${portName}`
  return `Cannot listen on ${host}:${port}: ${message}`
}

/** Short, because a stop waits for it; connections that are kept alive without a request would hold it up. */
const IDLE_CHECK_MS = 50

async function close(server: Server, withinMs = 30_000): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS)
  const cut = setTimeout(() => server.closeAllConnections(), withinMs)
  await closed
  clearInterval(idle)
  clearTimeout(cut)
}
