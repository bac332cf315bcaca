import { readFile } from 'node:fs/promises'
import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import { isIP } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { Limits } from './config.ts'
import { RefusedTarget, type Guard } from './guard.ts'
import { guardedLookup } from './guarded-lookup.ts'
import { http, loadHttps } from './http.ts'
import { bareHost } from './inside.ts'

/** An exchange that came to nothing, or broke off. `unauthorized`: the credentials that there are do not suffice. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError'
  readonly kind: 'timeout' | 'connection' | 'unauthorized'

  constructor(kind: UpstreamError['kind'], message: string, cause?: unknown) {
    super(message, { cause })
    this.kind = kind
  }
}

/** A body that is in memory may be sent twice; one that streams may not. */
export type Body = Buffer | IncomingMessage | undefined

export type Exchange = {
  method: string
  /** Scheme, host and port are used. */
  url: URL
  /** Path and query, sent as they are. */
  path: string
  /** Names and values in turn, without `host` and without those that frame the body. */
  headers: string[]
  body: Body
  /** Ends the exchange. */
  signal?: AbortSignal
}

/**
 * Sends requests to one kind of service and follows no redirect. Rejects with `RefusedTarget` or `UpstreamError`.
 *
 * What is sent is framed by the body that is sent, and by nothing that anybody said of it; a body that breaks off breaks its connection.
 *
 * There is no limit on how long an exchange lasts, only on its silence. What breaks after the headers have come is an error of the
 * message's stream.
 */
export type Transport = (exchange: Exchange) => Promise<IncomingMessage>

type Settings = {
  caPath?: string
  guard?: Guard
  limits: Pick<Limits, 'connectMs' | 'idleMs'>
}

/** Shorter than the 5 s after which the servers of most models close a connection that is idle. */
const IDLE_SOCKET_MS = 4000
const AGENT = { keepAlive: true, maxFreeSockets: 16, timeout: IDLE_SOCKET_MS }

/** A transport with connections of its own. */
export function createTransport({ caPath, guard, limits }: Settings): Transport {
  const plainAgent = new http.Agent(AGENT)
  const findTls = trustOf(caPath)

  const send = async (exchange: Exchange, isFresh: boolean): Promise<IncomingMessage> => {
    const { url, method, path, headers } = exchange
    const host = bareHost(url)
    // No name is looked up for an address that is written as one.
    if (guard && isIP(host)) {
      await guard(url, [host]).catch((error: Error) => {
        throw classified(error, false)
      })
    }
    const sent = ['host', url.host, ...headers, ...framingOf(exchange)]
    const options: RequestOptions = { host, port: url.port, method, path, headers: sent, timeout: limits.idleMs }
    if (guard) options.lookup = guardedLookup((addresses) => guard(url, addresses))
    if (url.protocol !== 'https:') {
      return start(http.request({ ...options, agent: isFresh ? false : plainAgent }), exchange, limits)
    }
    const { agent, secureContext } = await findTls()
    const tls = { ...(secureContext && { secureContext }), servername: isIP(host) ? '' : host }
    return start(loadHttps().request({ ...options, ...tls, agent: isFresh ? false : agent }), exchange, limits)
  }

  return async (exchange) => {
    const mayRepeat = exchange.body === undefined || Buffer.isBuffer(exchange.body)
    try {
      return await send(exchange, !mayRepeat)
    } catch (error) {
      if (!(mayRepeat && error instanceof StaleConnection)) throw error
      return send(exchange, true)
    }
  }
}

/** Methods whose requests are understood to have no body where none is framed. */
const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS'])

function framingOf({ method, body }: Exchange): string[] {
  if (body === undefined) return BODILESS.has(method) ? [] : ['content-length', '0']
  if (Buffer.isBuffer(body)) return ['content-length', String(body.length)]
  const { 'content-length': length, 'transfer-encoding': encoding } = body.headers
  return length === undefined || encoding !== undefined ? ['transfer-encoding', 'chunked'] : ['content-length', length]
}

/** A connection that was kept, and that the other side had closed before it read anything of the request. */
class StaleConnection extends UpstreamError {}

function start(request: ClientRequest, { body, signal }: Exchange, { connectMs, idleMs }: Settings['limits']): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const connecting = setTimeout(
      () => request.destroy(new UpstreamError('timeout', `no connection within ${connectMs / 1000} s`)),
      connectMs,
    )
    const stop = () => request.destroy()
    if (signal?.aborted) stop()
    signal?.addEventListener('abort', stop, { once: true })
    request.once('socket', (socket) => {
      const connected = () => clearTimeout(connecting)
      if (request.reusedSocket) return connected()
      socket.setKeepAlive(true, 30_000) // so that a host that vanished is noticed during a long silence
      socket.once('encrypted' in socket ? 'secureConnect' : 'connect', connected)
    })
    let answer: IncomingMessage | undefined
    request.once('timeout', () => (answer ?? request).destroy(new UpstreamError('timeout', `silent for ${idleMs / 1000} s`)))
    request.on('error', (error) => {
      clearTimeout(connecting)
      reject(classified(error, request.reusedSocket))
    })
    request.once('close', () => {
      clearTimeout(connecting)
      signal?.removeEventListener('abort', stop)
      // Node says nothing more of an answer that would change the protocol.
      reject(new UpstreamError('connection', 'the connection ended without an answer'))
    })
    request.once('response', (message) => {
      const { 'transfer-encoding': encoding = 'chunked' } = message.headers
      // Codings are of a connection, so the next one would get a body that nothing says how to read.
      if (encoding.toLowerCase() !== 'chunked') return request.destroy(new UpstreamError('connection', `the answer is sent as ${encoding}`))
      answer = message
      resolve(message)
    })
    if (body === undefined || Buffer.isBuffer(body)) request.end(body)
    else {
      body.once('error', (error) => request.destroy(error))
      body.pipe(request)
    }
  })
}

function classified(error: Error & { code?: unknown }, isReused: boolean): Error {
  if (error instanceof UpstreamError || error instanceof RefusedTarget) return error
  if (isReused && (error.code === 'ECONNRESET' || error.code === 'EPIPE')) return new StaleConnection('connection', error.message, error)
  // All addresses of a name failed: each has its own reason, and the error none.
  const reason = error instanceof AggregateError ? error.errors.map(String).join('; ') : error.message
  return new UpstreamError(error.code === 'ETIMEDOUT' ? 'timeout' : 'connection', reason, error)
}

type Trust = { agent: Agent; secureContext?: SecureContext }

/** Authorities of a file are trusted beside those that Node knows. New ones get new connections; a file that is not there adds none. */
function trustOf(caPath: string | undefined): () => Promise<Trust> {
  let known: { pem: string; trust: Trust } | undefined
  return async () => {
    const pem = caPath === undefined ? '' : await readFile(caPath, 'utf8').catch(() => '')
    if (known?.pem !== pem) {
      const tls = process.getBuiltinModule('node:tls')
      const agent = new (loadHttps().Agent)(AGENT)
      known = {
        pem,
        trust: { agent, ...(pem && { secureContext: tls.createSecureContext({ ca: [...tls.getCACertificates('default'), pem] }) }) },
      }
    }
    return known.trust
  }
}
