import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'
import { parseUrl } from '#shared/domain/url-problem.ts'
import { HubError } from '#shared/errors.ts'
import { gatherBytes } from '#shared/gather-bytes.ts'
import { SIDECAR_VIA } from '#shared/sidecar-via.ts'
import { forwardedHeaders, type HeaderEdits } from './headers.ts'
import { UpstreamError, type Body, type Transport } from './transport.ts'

/** Bodies up to this are read whole before they go on, so that a request can be sent again; larger ones stream. */
const HELD_BYTES = 256 * 1024

/** The body of a request: nothing, a small one in memory, or the stream. Refuses one that is coded, since codings are of a connection. */
export async function bodyOf(request: IncomingMessage): Promise<Body> {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked') {
    throw HubError.of('request_validation_failed', { Error: `the sidecar knows no Transfer-Encoding but chunked, and not '${encoding}'.` })
  }
  if (encoding !== undefined || Number(length ?? 0) > HELD_BYTES) return request
  const gathered = gatherBytes()
  for await (const chunk of request) gathered.add(chunk as Buffer) // no encoding is set
  return length === undefined ? undefined : Buffer.from(gathered.take().buffer)
}

/**
 * Request headers that say what is sent and what is wanted back. Beside a credential that the adapter does not have nothing else passes, for
 * there are as many names for who asks, for what and by which method as there are proxies. Source: the clients of MLflow and of registries.
 */
export const PLAIN_HEADERS =
  /^(accept(-.+)?|baggage|cache-control|content-.+|docker-.+|if-.+|oci-.+|pragma|range|traceparent|tracestate|user-agent|x-mlflow-client-.+)$/

/** What proxies and gateways tell the servers behind them: who asks, for which path, by which method, in which session. */
export const CLAIMS =
  /^(cookie|forwarded|(impersonate|kubeflow|remote)-.+|x-(forwarded|original|remote|rewrite)(-.+)?|x-(auth-request|auth-user|authenticated|goog-authenticated|webauth)-?.*|x-real-ip|x-(http-)?method(-override)?)$/

type Forwarding = {
  url: URL
  path: string
} & HeaderEdits

/** Sends a request on and resolves with the head of the answer. Ends it when the caller hangs up. */
export async function sendOn(
  transport: Transport,
  request: IncomingMessage,
  response: ServerResponse,
  { url, path, changes, ...edits }: Forwarding,
  body: Body,
): Promise<IncomingMessage> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  if (response.destroyed) gone.abort()
  // The transport frames the body that it sends.
  const headers = forwardedHeaders(request, { ...edits, changes: { 'content-length': undefined, ...changes } })
  return transport({ method: request.method ?? 'GET', url, path, headers: [...headers, 'via', SIDECAR_VIA], body, signal: gone.signal })
}

type Edits = {
  /** Response headers that change, names in lower case; undefined removes. */
  changes?: Record<string, string | undefined>
  onChunk?: (chunk: Buffer) => void
}

/**
 * Passes an answer on as it comes. Resolves at its end with the error that broke it off, if one did: then the caller's connection is broken
 * off too, so that nobody takes a part for the whole. A caller that hangs up is no error. Throws `UpstreamError` for what cannot be passed on.
 */
export function passBack(answer: IncomingMessage, response: ServerResponse, { changes, onChunk }: Edits = {}): Promise<Error | undefined> {
  let hasHungUp = response.destroyed
  response.prependOnceListener('close', () => {
    hasHungUp = answer.errored === null && !answer.complete
  })
  writeHead(answer, response, changes)
  // An answer that streams may be long in coming: its head goes at once.
  response.flushHeaders()
  if (onChunk) answer.on('data', onChunk)
  return new Promise((resolve) => {
    pipeline(answer, response, (error) => resolve(error && !hasHungUp ? error : undefined))
  })
}

function writeHead(answer: IncomingMessage, response: ServerResponse, changes: Edits['changes']): void {
  const { statusCode = 502, statusMessage, headers } = answer
  // A length that is not that of what follows would make the next answer a part of this one, or the reverse.
  const isUnframed = statusCode === 204 || headers['transfer-encoding'] !== undefined
  const kept = forwardedHeaders(answer, { changes: { ...(isUnframed && { 'content-length': undefined }), ...changes } })
  try {
    response.writeHead(statusCode, statusMessage, kept)
  } catch (error) {
    answer.destroy()
    response.statusMessage = ''
    throw new UpstreamError('connection', 'its answer has a head that cannot be passed on', error)
  }
}

/** Where an answer leads the caller, if that is the service which was asked: the same place by way of the sidecar. */
export function ownLocation(answer: IncomingMessage, asked: URL, request: IncomingMessage): string | undefined {
  const { location } = answer.headers
  const target = parseUrl(location ?? '')
  // A registry behind a proxy may name the scheme that it is asked with there.
  if (target?.host !== asked.host) return location
  return `http://${request.headers.host ?? 'localhost'}${target.pathname}${target.search}`
}
