import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'
import { forwardedHeaders } from './headers.ts'
import type { Body, Transport } from './transport.ts'

/** Bodies up to this are read whole before they go on, so that a request can be sent again; larger ones stream. */
const HELD_BYTES = 256 * 1024

/** The body of a request: nothing, a small one in memory, or the stream. */
export async function bodyOf(request: IncomingMessage): Promise<Body> {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers
  if (encoding !== undefined || Number(length ?? 0) > HELD_BYTES) return request
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer) // no encoding is set
  return length === undefined ? undefined : Buffer.concat(chunks)
}

type Forwarding = {
  url: URL
  path: string
  /** Request headers that change, names in lower case; undefined removes. */
  changes?: Record<string, string | undefined>
}

/** Sends a request on and resolves with the head of the answer. Ends it when the caller hangs up. */
export async function sendOn(
  transport: Transport,
  request: IncomingMessage,
  response: ServerResponse,
  { url, path, changes }: Forwarding,
  body: Body,
): Promise<IncomingMessage> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  if (response.destroyed) gone.abort()
  const headers = forwardedHeaders(request, changes)
  const chunked = body === request && request.headers['content-length'] === undefined ? ['transfer-encoding', 'chunked'] : []
  return transport({ method: request.method ?? 'GET', url, path, headers: [...headers, ...chunked], body, signal: gone.signal })
}

type Edits = {
  /** Response headers that change, names in lower case; undefined removes. */
  changes?: Record<string, string | undefined>
  onChunk?: (chunk: Buffer) => void
}

/**
 * Passes an answer on as it comes. Resolves at its end with the error that broke it off, if one did: then the caller's connection is broken
 * off too, so that nobody takes a part for the whole. A caller that hangs up is no error.
 */
export function passBack(answer: IncomingMessage, response: ServerResponse, { changes, onChunk }: Edits = {}): Promise<Error | undefined> {
  let hasHungUp = response.destroyed
  response.prependOnceListener('close', () => {
    hasHungUp = answer.errored === null && !answer.complete
  })
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage, forwardedHeaders(answer, changes))
  // An answer that streams may be long in coming: its head goes at once.
  response.flushHeaders()
  if (onChunk) answer.on('data', onChunk)
  return new Promise((resolve) => {
    pipeline(answer, response, (error) => resolve(error && !hasHungUp ? error : undefined))
  })
}

/** Where an answer leads the caller, if that is the service which was asked: the same place by way of the sidecar. */
export function ownLocation(answer: IncomingMessage, asked: URL, request: IncomingMessage): string | undefined {
  const { location } = answer.headers
  if (location === undefined || !URL.canParse(location)) return location
  const target = new URL(location)
  // A registry behind a proxy may name the scheme that it is asked with there.
  if (target.host !== asked.host) return location
  return `http://${request.headers.host ?? 'localhost'}${target.pathname}${target.search}`
}
