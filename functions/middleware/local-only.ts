import type { MiddlewareHandler } from 'hono'
import { HubError } from '#shared/errors.ts'
import type { AppEnv } from '../env.ts'

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i

const isLoopback = (host: string) => LOOPBACK.test(host)

/** Answers to pages on this machine may be read by them. */
const CORS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'GET, POST, PUT, PATCH, DELETE, OPTIONS',
  'Access-Control-Allow-Headers': 'Content-Type, Authorization, X-Global-Transaction-Id',
  'Access-Control-Max-Age': '3600',
}

/**
 * Keeps a hub without identities to its own machine: a request whose `Host` is not a loopback name (a page that rebinds its own
 * name to 127.0.0.1), or whose `Origin` is not on this machine (any page of the web), is refused with `foreign_request`.
 */
export const localOnly: MiddlewareHandler<AppEnv> = async function localOnly(c, next) {
  const host = c.req.header('host') ?? new URL(c.req.url).host
  if (!isLoopback(host)) {
    throw HubError.of('foreign_request', { Error: `This hub answers on this machine only, not as '${host}'. Use http://localhost.` })
  }
  const origin = c.req.header('origin')
  if (origin !== undefined && !(URL.canParse(origin) && isLoopback(new URL(origin).host))) {
    throw HubError.of('foreign_request', {
      Error: `This hub takes no requests from pages of '${origin}', only from pages of this machine.`,
    })
  }
  if (c.req.method === 'OPTIONS') return new Response(null, { status: 204, headers: CORS })
  await next()
  // Only a page asks for these, and every header that is added afterwards costs all others a copy of the answer.
  if (origin !== undefined) for (const [name, value] of Object.entries(CORS)) c.res.headers.set(name, value)
  return undefined
}
