import type { Context } from 'hono'
import { HubError } from '#shared/errors.ts'
import type { AppEnv } from './env.ts'

/**
 * The body as text, whatever its Content-Type. Refuses more than `maxBytes` with `request_body_too_large`.
 *
 * What is too long is read to its end all the same and thrown away, so that a client that is still sending sees the answer.
 */
export async function readBody(c: Context<AppEnv>, maxBytes: number): Promise<string> {
  const length = c.req.header('content-length')
  if (length !== undefined && Number(length) <= maxBytes) return c.req.text()

  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of c.req.raw.body ?? []) {
    bytes += chunk.byteLength
    if (bytes <= maxBytes) text += decoder.decode(chunk, { stream: true })
  }
  if (bytes > maxBytes) throw HubError.of('request_body_too_large', { Limit: String(maxBytes) })
  return text + decoder.decode()
}
