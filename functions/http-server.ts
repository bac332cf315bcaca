import { createAdaptorServer } from '@hono/node-server'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { statusOf } from '#shared/errors.ts'
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
  /** What the operator sets the port with, for the sentence that says it is taken. */
  portName: string
}

export type HttpServer = {
  port: number
  /** To watch its requests. */
  server: Server
  /**
   * Takes no more connections and resolves when the requests under way are answered. Those that are not after `withinMs` are cut off.
   */
  close(withinMs?: number): Promise<void>
}

/** Serves `fetch`. Throws one line that says why it cannot. */
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

function makeServer(fetch: Fetch, { tls, limits = USUAL }: HttpServerOptions): Server {
  const serverOptions = {
    maxHeaderSize: limits.maxHeaderBytes,
    requestTimeout: limits.readTimeoutMs,
    headersTimeout: Math.min(limits.readHeaderTimeoutMs, limits.readTimeoutMs),
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
  }
  // Neither form makes an HTTP/2 server, and the adapter's options are of any.
  const server = createAdaptorServer({
    fetch,
    serverOptions: tls ? { ...serverOptions, ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: true } : serverOptions,
    createServer: (own: ServerOptions, answer: RequestListener) =>
      tls ? createTlsServer(own, refuseOddHost(answer)) : createServer(own, refuseOddHost(answer)),
  } as Parameters<typeof createAdaptorServer>[0]) as Server
  server.maxConnections = limits.maxClientConnections
  return server
}

/** A name of DNS and a port. */
const HOST_MAX = 262

/** Before anything reads it as a URL, which for a long host takes the square of its length: bytes that no host has, and an address before a path. */
const refuseOddHost =
  (answer: RequestListener): RequestListener =>
  (request, response) => {
    if (!hasOddHost(request)) return answer(request, response)
    // What else is sent is not read.
    response.writeHead(statusOf('request_validation_failed'), { Connection: 'close', 'Content-Length': 0 }).end()
    return undefined
  }

function hasOddHost({ headers: { host = '' }, url = '' }: IncomingMessage): boolean {
  const named = /^https?:[\\/]*([^\\/?#]*)/i.exec(url)?.[1] ?? ''
  return [host, named].some((text) => text.length > HOST_MAX || /[^\w.~%:[\]!$&'()*+,;=-]/.test(text))
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
