import type { IncomingMessage, Server, ServerResponse } from 'node:http'
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
  /** Time for an answer to be sent, by its path; it is cut off then. */
  sendLimitMs: (path: string) => number
}

export type RequestWatch = {
  /** For the app, which knows what a request is about. */
  onAnswered: NonNullable<AppOptions['onAnswered']>
  /** Watches the requests of a server. */
  watch: (server: Server) => void
}

/**
 * Logs and measures each request from its headers to the end of its answer, and cuts off an answer that its reader does not take.
 *
 * A log line has who asked, the pattern of the path, and the path, which holds ids; never a query or a header.
 */
export function watchRequests(options: WatchOptions): RequestWatch {
  const answered = new WeakMap<object, AnsweredRequest>()
  return {
    onAnswered(request, runtime) {
      if (hasIncoming(runtime)) answered.set(runtime.incoming, request)
    },
    watch: (server) =>
      // Before the app's own listener, which may answer at once.
      void server.prependListener('request', (incoming: IncomingMessage, outgoing: ServerResponse) =>
        watchOne(options, incoming, outgoing, () => answered.get(incoming)),
      ),
  }
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
  answeredRequest: () => AnsweredRequest | undefined,
): void {
  const startedAt = performance.now()
  const { method = '', url = '/', socket } = incoming
  const sentBefore = socket.bytesWritten
  const limit = setTimeout(() => outgoing.destroy(), sendLimitMs(url.split('?')[0] ?? url))
  metrics?.began(method)

  outgoing.once('close', () => {
    clearTimeout(limit)
    const request = answeredRequest()
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
