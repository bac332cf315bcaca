import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Log } from '#shared/log.ts'
import type { AnsweredRequest, AppOptions } from './env.ts'
import type { RequestMetrics } from './request-metrics.ts'

/** Asked every few seconds by machines. */
const PROBES = new Set(['/api/v1/health', '/healthz', '/readyz', '/metrics'])

export type WatchOptions = {
  log?: Log
  /** True: what only machines ask, every few seconds, is logged too. */
  logProbes?: boolean
  metrics?: RequestMetrics
  /** Time for an answer to be sent, by the pattern of its path as soon as that is known; it is cut off then. */
  sendLimitMs: (route: string | undefined) => number
}

export type RequestWatch = {
  /** For the app, which knows what a request is about. */
  onAnswered: NonNullable<AppOptions['onAnswered']>
  /** For what serves HTTP, which knows when a request begins. */
  onRequest: (incoming: IncomingMessage, outgoing: ServerResponse) => void
}

/**
 * Logs and measures each request from its headers to the end of its answer, and cuts off an answer that its reader does not take.
 *
 * A log line has who asked, the pattern of the path, and the path, which holds ids; never a query or a header.
 */
export function watchRequests(options: WatchOptions): RequestWatch {
  const watched = new WeakMap<object, Watched>()
  return {
    onAnswered(request, runtime) {
      const one = hasIncoming(runtime) && watched.get(runtime.incoming)
      if (!one) return
      one.answered = request
      one.limitTo(options.sendLimitMs(request.route))
    },
    onRequest: (incoming, outgoing) => void watched.set(incoming, watchOne(options, incoming, outgoing)),
  }
}

type Watched = {
  answered?: AnsweredRequest
  /** Cuts its answer off so long after its beginning. */
  limitTo: (ms: number) => void
}

const hasIncoming = (runtime: unknown): runtime is { incoming: object } =>
  typeof runtime === 'object' &&
  runtime !== null &&
  'incoming' in runtime &&
  typeof runtime.incoming === 'object' &&
  runtime.incoming !== null

function watchOne(
  { log, logProbes = false, metrics, sendLimitMs }: WatchOptions,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Watched {
  const startedAt = performance.now()
  const { method = '', socket } = incoming
  const sentBefore = socket.bytesWritten
  const cutOff = () => void outgoing.destroy()
  let limitMs = sendLimitMs(undefined)
  let limit = setTimeout(cutOff, limitMs)
  const watched: Watched = {
    limitTo(ms) {
      if (ms === limitMs || outgoing.destroyed) return
      clearTimeout(limit)
      limitMs = ms
      limit = setTimeout(cutOff, ms - (performance.now() - startedAt))
    },
  }
  metrics?.began(method)

  outgoing.once('close', () => {
    clearTimeout(limit)
    const request = watched.answered
    // What no app has seen was refused by what serves HTTP, or the client went away before there was an answer.
    const status = request?.status ?? (outgoing.headersSent ? outgoing.statusCode : undefined)
    const durationMs = performance.now() - startedAt
    metrics?.ended({
      method,
      route: request?.route,
      status,
      seconds: durationMs / 1000,
      requestBytes: Number(incoming.headers['content-length'] ?? 0),
      // A streamed body has no length of its own; what the socket sent has its frames in it.
      responseBytes: Number(outgoing.getHeader('content-length') ?? socket.bytesWritten - sentBefore),
    })
    if (log && (logProbes || !PROBES.has(request?.route ?? '')))
      writeLine(log, request, { method, status, durationMs: Math.round(durationMs * 10) / 10, complete: outgoing.writableFinished })
  })
  return watched
}

/** Of a caller's name: issuers may make long ones. */
const USER_CHARACTERS = 128

const shown = (user: string) => (user.length > USER_CHARACTERS ? `${user.slice(0, USER_CHARACTERS).toWellFormed()}…` : user)

type Facts = { method: string; status: number | undefined; durationMs: number; complete: boolean }

function writeLine(log: Log, request: AnsweredRequest | undefined, { method, status, durationMs, complete }: Facts): void {
  const line = {
    request_id: request?.requestId,
    tenant: request?.tenant,
    user: request?.user && shown(request.user),
    method,
    route: request?.route ?? 'not_found',
    // A path that is none of ours may hold anything.
    ...(request?.route !== undefined && { path: request.path }),
    status,
    duration_ms: durationMs,
    ...(!complete && { cut_off: true }),
  }
  log.info('request', line)
}
