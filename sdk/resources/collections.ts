import type { CollectionWords } from '#shared/models/collection.ts'
import { listing } from '../listing.ts'
import type { Collection, Page } from '../models.ts'
import type { CallOptions, Request } from '../request.ts'

export type ListCollections = CallOptions & {
  /** Items a page. Default: the hub's, 50. */
  limit?: number
  offset?: number
  name?: string
  tags?: string
  category?: string
  /** `system`: the catalogue's; `tenant`: your own. Default: both. */
  scope?: 'system' | 'tenant'
} & { [List in CollectionWords]?: string }

const PATH = '/evaluations/collections'

/** Collections: curated, weighted sets of benchmarks. */
export const collectionsOf = (request: Request) => ({
  list: ({ offset, signal, ...filter }: ListCollections = {}) =>
    listing(
      (from) => request.json<Page<Collection>>({ method: 'GET', path: PATH, query: { ...filter, offset: from || undefined }, signal }),
      offset,
    ),

  get: (id: string, { signal }: CallOptions = {}) =>
    request.json<Collection>({ method: 'GET', path: `${PATH}/${encodeURIComponent(id)}`, signal }),
})
