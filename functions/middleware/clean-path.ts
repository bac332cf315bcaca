import type { MiddlewareHandler } from 'hono'
import { NOSNIFF } from '../answer.ts'
import type { AppEnv } from '../env.ts'

/** An empty segment before another, or one of dots, which clients may write as `%2e`. */
const UNCLEAN = /\/(\/|(\.|%2e){1,2}(\/|$))/i

/**
 * Redirects a path with `//`, `.` or `..` to the one it stands for, as the published server does (301, with the query). No other host is
 * ever named. Where the runtime resolves dots before it hands the request over, as on Workers, what they stand for is answered at once.
 */
export const cleanPath: MiddlewareHandler<AppEnv> = function cleanPath(c, next) {
  const { pathname, search } = new URL(c.req.url)
  // Node's request is as it was sent; that of the standard has no dots any more.
  const [sent = pathname] = (c.env?.incoming?.url ?? pathname).split('?', 1)
  if (!UNCLEAN.test(sent) || sent.includes('\\')) return next()
  const clean = new URL(sent.replace(/\/{2,}/g, '/'), 'http://host').pathname.replace(/\/{2,}/g, '/')
  return Promise.resolve(new Response(null, { status: 301, headers: { Location: clean + search, ...NOSNIFF } }))
}
