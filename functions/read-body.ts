import type { Context } from 'hono'
import { HubError } from '#shared/errors.ts'
import type { AppEnv } from './env.ts'

/**
 * The body as text, whatever its Content-Type. Refuses more than `maxBytes` with `request_body_too_large`, and one that breaks off with
 * `invalid_json_request`: that its client went away is no failure of this hub.
 *
 * What is too long is read to its end all the same and thrown away, so that a client that is still sending sees the answer.
 */
export async function readBody(c: Context<AppEnv>, maxBytes: number): Promise<string> {
  const length = c.req.header('content-length')
  const isShort = length !== undefined && Number(length) <= maxBytes
  const text = await (isShort ? c.req.text() : readUpTo(c.req.raw.body ?? [], maxBytes)).catch((cause: unknown) => {
    throw HubError.of('invalid_json_request', { Error: 'it broke off before its end' }, cause)
  })
  if (text === undefined) throw HubError.of('request_body_too_large', { Limit: String(maxBytes) })
  return text
}

/** The text of `body`, read to its end; undefined if it is longer. */
async function readUpTo(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, maxBytes: number): Promise<string | undefined> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    if (bytes <= maxBytes) text += decoder.decode(chunk, { stream: true })
  }
  return bytes > maxBytes ? undefined : text + decoder.decode()
}
