import type { Health } from './models.ts'
import { createRequest } from './request.ts'
import type { CallOptions } from './request.ts'
import { collectionsOf } from './resources/collections.ts'
import { evaluationsOf } from './resources/evaluations.ts'
import { providersOf } from './resources/providers.ts'

export type ClientOptions = {
  /** Address of the hub, without `/api/v1`: `http://localhost:8080`. */
  baseUrl: string
  /** Sent as `Authorization: Bearer …`. */
  token?: string | undefined
  /** Sent as `X-Tenant`. */
  tenant?: string | undefined
  /** Sent as `X-User`; only behind a proxy that vouches for it. */
  user?: string | undefined
  /** Default: the runtime's own. */
  fetch?: typeof fetch
  /** Longest time for one try, body included. Default 30 s. */
  timeoutMs?: number
  /** Further tries of what reads, or has an idempotency key, after a connection error, a 429 or a 5xx. Default 3. */
  maxRetries?: number
}

export type Client = ReturnType<typeof createClient>

/** Without the trailing slash. Names no part of an address that it refuses, since one may hold a password. */
function checkedBaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol))
    throw new TypeError('baseUrl must be an http or https address, such as http://localhost:8080')
  if (url.username || url.password) throw new TypeError('baseUrl must hold no user or password; give `token` instead')
  if (url.search || url.hash) throw new TypeError('baseUrl must have no query and no fragment')
  return url.href.replace(/\/+$/, '')
}

/**
 * A client of one hub. It needs `fetch` and nothing of Node, and keeps no state between calls.
 *
 * Every call throws `ApiError` if the hub refuses, and `ConnectionError` if there is no answer.
 */
export function createClient({
  baseUrl,
  token,
  tenant,
  user,
  fetch = globalThis.fetch,
  timeoutMs = 30_000,
  maxRetries = 3,
}: ClientOptions) {
  const identity = { Authorization: token && `Bearer ${token}`, 'X-Tenant': tenant, 'X-User': user }
  const headers = Object.fromEntries(Object.entries(identity).flatMap(([name, value]) => (value ? [[name, value]] : [])))
  const request = createRequest({ baseUrl: checkedBaseUrl(baseUrl), headers, fetch, timeoutMs, maxRetries })

  return {
    evaluations: evaluationsOf(request),
    providers: providersOf(request),
    collections: collectionsOf(request),
    health: ({ signal }: CallOptions = {}) => request.json<Health>({ method: 'GET', path: '/health', signal }),
  }
}
