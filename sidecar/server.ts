import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HubError, statusOf } from '#shared/errors.ts'
import type { Log } from '#shared/log.ts'
import { oneAtATime } from '#shared/one-at-a-time.ts'
import { RefusedTarget } from './guard.ts'
import { http } from './http.ts'
import type { Route } from './route.ts'
import { UpstreamError } from './transport.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

export type Listening = {
  port: number
  /** Takes no more connections and breaks those that there are. */
  close: () => void
}

type Settings = {
  /** 0 takes a free one. */
  port: number
  routeOf: (target: string) => Route
  handlers: Record<Route, Handler>
  log: Log
}

/** Serves the adapter on 127.0.0.1, and at the same port on ::1 where it exists: nobody outside the pod gets its credentials. */
export async function serve({ port, routeOf, handlers, log }: Settings): Promise<Listening> {
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    // It asks for an echo of what arrives, which is more than the adapter sent.
    if (request.method === 'TRACE') return sendText(response, 405, 'TRACE is not passed on: its answer would show credentials.')
    const handler = handlers[routeOf(request.url ?? '/')]
    handler(request, response)
      .catch((error: unknown) => refuse(error, response, log))
      .catch(() => response.destroy())
  }
  const first = await open(handle, '127.0.0.1', port)
  const bound = (first.address() as AddressInfo).port // it listens on TCP
  const second = await open(handle, '::1', bound).catch((error: NodeJS.ErrnoException) => {
    const isMissing = error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT'
    if (isMissing || port === 0) return undefined
    throw error
  })
  return {
    port: bound,
    close() {
      for (const server of [first, second]) {
        server?.close()
        server?.closeAllConnections()
      }
    },
  }
}

function open(handle: (request: IncomingMessage, response: ServerResponse) => void, host: string, port: number): Promise<Server> {
  // No limit on how long a request takes to come in: artifacts are large and networks slow.
  const server = http.createServer(
    { requestTimeout: 0, headersTimeout: 15_000, keepAliveTimeout: 60_000, noDelay: true },
    oneAtATime(handle),
  )
  // Their size is bounded; with a bound on their number the ones beyond it would be overlooked, not refused.
  server.maxHeadersCount = 0
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve(server))
  })
}

const STATUS = { timeout: 504, connection: 502, unauthorized: 401 } as const satisfies Record<UpstreamError['kind'], number>

/** Answers in plain text, which the clients of models and registries show; the hub's own refusals are its JSON. */
function refuse(error: unknown, response: ServerResponse, log: Log): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  if (error instanceof HubError) {
    sendJson(response, statusOf(error.code), JSON.stringify({ message_code: error.code, message: error.message }))
  } else if (error instanceof RefusedTarget) sendText(response, 403, error.message)
  else if (error instanceof UpstreamError) sendText(response, STATUS[error.kind], `The sidecar got no answer: ${error.message}`)
  else {
    log.error('A request could not be served', error)
    sendText(response, 500, 'The sidecar failed; its log says why.')
  }
}

/** Ends the answer with JSON. */
export function sendJson(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(body)
}

/** Ends the answer with one sentence. */
export function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`)
}
