import { Hono } from 'hono'
import { decode, decodeValue, parseJson } from '#shared/decode.ts'
import { applyPatch } from '#shared/domain/apply-patch.ts'
import { filterWarnings } from '#shared/domain/filter-warnings.ts'
import type { Filter } from '#shared/domain/list-filter.ts'
import { refuseLargeCollection } from '#shared/domain/catalogue-footprint.ts'
import { COLLECTION_RULES, readPatch, type PatchOperation } from '#shared/domain/read-patch.ts'
import { HubError, notFound } from '#shared/errors.ts'
import { COLLECTION_WORDS, CollectionConfig } from '#shared/models/collection.ts'
import { answer } from '../answer.ts'
import { catalogueFilters, catalogueWarnings } from '../catalogue-filters.ts'
import type { AppEnv, AppOptions } from '../env.ts'
import { entityTag, expectedVersions, locationOf } from '../entity-tag.ts'
import { idempotencyOf } from '../idempotency.ts'
import { answerPage } from '../page.ts'
import { filterReader, refuseUnknown, slice } from '../query.ts'
import { readBody } from '../read-body.ts'

const PARAMETERS = ['limit', 'offset', 'name', 'category', 'tags', 'owner', 'scope', ...COLLECTION_WORDS, 'sort_by']

const UNSORTED = 'sort_by changes nothing but the links to other pages: the newest come first.'

const ownWarnings = ({ category, words }: { category: Filter | undefined; words: Record<string, Filter | undefined> }) =>
  filterWarnings([
    { name: 'category', filter: category },
    ...Object.entries(words).map(([name, filter]) => ({ name, filter, hasMany: true })),
  ])

/** Without pages, which are the hub's to write. */
const withoutPages = (config: CollectionConfig): CollectionConfig => ({
  ...config,
  benchmarks: config.benchmarks.map(({ url: _, ...benchmark }) => benchmark),
})

/** What has been curated may be deleted, and not changed. */
function refuseCurated(id: string, { curation_order }: CollectionConfig) {
  if (curation_order !== undefined) throw HubError.of('read_only_collection', { CollectionID: id })
}

/** Whether a patch gives whole benchmarks, and not only some of their fields. */
const givesBenchmarks = (operations: readonly PatchOperation[]) =>
  operations.some(({ op, path }) => op !== 'remove' && /^\/benchmarks(\/(\d+|-))?$/.test(path))

export const collections = ({ maxBodyBytes, newRequestId }: AppOptions) =>
  new Hono<AppEnv>()
    .post('/', async (c) => {
      const body = await readBody(c, maxBodyBytes, { isStored: true })
      const config = withoutPages(decode(CollectionConfig, 'CollectionConfig', body))
      refuseLargeCollection(config)
      const created = await c.var.tenantStore.createCollection(newRequestId(), config, await idempotencyOf(c, body))
      return answer(c, 201, created, { ...locationOf(c, created.resource.id), ...entityTag(created.resource.updated_at) })
    })
    .get('/', async (c) => {
      const page = slice(c.req)
      const filter = filterReader(c.req)
      const words = Object.fromEntries(COLLECTION_WORDS.map((name) => [name, filter(name)]))
      const filters = { ...catalogueFilters(c.req, filter), category: filter('category'), words }
      refuseUnknown(c.req, PARAMETERS)
      const warnings = [...catalogueWarnings(filters), ...ownWarnings(filters), ...(c.req.query('sort_by') ? [UNSORTED] : [])]
      return answerPage(c, page, await c.var.tenantStore.listCollections(filters, page), warnings)
    })
    .get('/:id', async (c) => {
      const id = c.req.param('id')
      const collection = await c.var.tenantStore.findCollection(id)
      if (!collection) throw notFound('collection', id)
      return answer(c, 200, collection, entityTag(collection.resource.updated_at))
    })
    .put('/:id', async (c) => {
      const id = c.req.param('id')
      const config = withoutPages(decode(CollectionConfig, 'CollectionConfig', await readBody(c, maxBodyBytes, { isStored: true })))
      const replaced = (present: CollectionConfig) => {
        refuseCurated(id, present)
        return config
      }
      const collection = await c.var.tenantStore.changeCollection(id, replaced, expectedVersions(c))
      return answer(c, 200, collection, entityTag(collection.resource.updated_at))
    })
    .patch('/:id', async (c) => {
      const id = c.req.param('id')
      const operations = readPatch(parseJson(await readBody(c, maxBodyBytes)), COLLECTION_RULES)
      const patched = (config: CollectionConfig) => {
        refuseCurated(id, config)
        const changed = decodeValue(CollectionConfig, 'CollectionConfig', applyPatch(config, operations))
        return givesBenchmarks(operations) ? withoutPages(changed) : changed
      }
      const collection = await c.var.tenantStore.changeCollection(id, patched, expectedVersions(c))
      return answer(c, 200, collection, entityTag(collection.resource.updated_at))
    })
    .delete('/:id', async (c) => {
      await c.var.tenantStore.deleteCollection(c.req.param('id'), expectedVersions(c))
      return answer(c, 204)
    })
