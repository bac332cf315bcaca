import type { MiddlewareHandler } from 'hono'
import { HubError } from '#shared/errors.ts'
import type { AppEnv } from '../env.ts'

/** Longer than any that a person or a client of the API makes, and as much as Workers take. */
const MAX_BYTES = 16 * 1024

/** Refuses a URL, its path and query as they were sent, of more than 16 KiB with `uri_too_long`, before anything reads it. */
export const shortUrl: MiddlewareHandler<AppEnv> = function shortUrl(c, next) {
  // Node's is as it was sent, in ASCII; that of the standard begins with its host.
  const { length } = c.env?.incoming?.url ?? c.req.url.slice(c.req.url.indexOf('/', 'https://'.length))
  if (length > MAX_BYTES) throw HubError.of('uri_too_long', { Length: String(length), Limit: String(MAX_BYTES) })
  return next()
}
