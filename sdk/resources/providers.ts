import { listing } from '../listing.ts'
import type { Page, Provider, ProviderRequest } from '../models.ts'
import type { CallOptions, Request } from '../request.ts'

export type ListProviders = CallOptions & {
  /** Items a page. Default: the hub's, 50. */
  limit?: number
  offset?: number
  name?: string
  tags?: string
  /** `system`: the catalogue's; `tenant`: your own. Default: both. */
  scope?: 'system' | 'tenant'
  /** False leaves the benchmarks out of the answer. */
  benchmarks?: boolean
}

const PATH = '/evaluations/providers'

/** Providers: evaluation frameworks and the benchmarks that they run. */
export const providersOf = (request: Request) => ({
  list: ({ offset, signal, ...filter }: ListProviders = {}) =>
    listing(
      (from) => request.json<Page<Provider>>({ method: 'GET', path: PATH, query: { ...filter, offset: from || undefined }, signal }),
      offset,
    ),

  get: (id: string, { signal }: CallOptions = {}) =>
    request.json<Provider>({ method: 'GET', path: `${PATH}/${encodeURIComponent(id)}`, signal }),

  create: (provider: ProviderRequest, { signal }: CallOptions = {}) =>
    request.json<Provider>({ method: 'POST', path: PATH, body: provider, signal }),
})
