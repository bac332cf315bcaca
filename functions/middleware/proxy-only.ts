import type { MiddlewareHandler } from 'hono'
import { HubError } from '#shared/errors.ts'
import type { AppEnv } from '../env.ts'

const HEADER = 'X-Proxy-Secret'

/** Refuses with `unauthorized` whatever does not bring `secret`, which nobody but the proxy knows. How near a wrong one is takes no time of its own. */
export function proxyOnly(secret: string): MiddlewareHandler<AppEnv> {
  const bytes = new TextEncoder().encode(secret)
  const key = crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])
  const expected = key.then((own) => crypto.subtle.sign('HMAC', own, bytes))
  return async function proxyOnly(c, next) {
    const given = new TextEncoder().encode(c.req.header(HEADER))
    // `verify` compares in constant time.
    if (!(await crypto.subtle.verify('HMAC', await key, await expected, given))) {
      throw HubError.of('unauthorized', {
        Error: `This hub takes requests from its proxy only, which proves itself with the header ${HEADER}.`,
      })
    }
    return next()
  }
}
