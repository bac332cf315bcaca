import type { Context, MiddlewareHandler } from 'hono'
import { HubError } from '#shared/errors.ts'
import { NOSNIFF } from '../answer.ts'
import type { AppEnv } from '../env.ts'

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i

/** What a person may follow a link to. Only a tab of its own is shown it, and no other page reads it there. */
const LINKED = new Set(['/', '/docs', '/openapi.yaml', '/openapi.json'])

/**
 * Keeps a hub without identities to its own machine, and there to its own pages and to what is no page. Refused with `foreign_request` is a request
 *
 * - whose `Host` is not a loopback name: a page that rebinds its own name to 127.0.0.1;
 * - whose `Origin` is not the hub's own scheme, host and port: any page of the web, and of another server of this machine;
 * - of which the browser says that another site has caused it (`Sec-Fetch-Site`), be it for an image: unless a person follows a link to `LINKED`.
 */
export const localOnly: MiddlewareHandler<AppEnv> = async function localOnly(c, next) {
  const { protocol, host: ofUrl } = new URL(c.req.url)
  const host = c.req.header('host') ?? ofUrl
  if (!LOOPBACK.test(host)) {
    throw HubError.of('foreign_request', { Error: `This hub answers on this machine only, not as '${host}'. Use http://localhost.` })
  }
  const origin = c.req.header('origin')
  if (origin !== undefined && origin !== URL.parse(`${protocol}//${host}`)?.origin) {
    throw HubError.of('foreign_request', { Error: `This hub takes no requests from pages of '${origin}', only from its own.` })
  }
  const site = c.req.header('sec-fetch-site')
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !followsLink(c)) {
    throw HubError.of('foreign_request', { Error: 'This hub takes no requests that a page of another site has caused.' })
  }
  if (c.req.method === 'OPTIONS') return new Response(null, { status: 204, headers: NOSNIFF })
  await next()
  return undefined
}

/** True if the whole tab goes to a page for readers. */
const followsLink = ({ req }: Context<AppEnv>) =>
  req.method === 'GET' && req.header('sec-fetch-mode') === 'navigate' && req.header('sec-fetch-dest') === 'document' && LINKED.has(req.path)
