import { Hono } from 'hono'
import { decode, decodeValue, parseJson } from '#shared/decode.ts'
import { applyPatch } from '#shared/domain/apply-patch.ts'
import { refuseLargeProvider } from '#shared/domain/catalogue-footprint.ts'
import { PROVIDER_RULES, readPatch } from '#shared/domain/read-patch.ts'
import { notFound } from '#shared/errors.ts'
import { ProviderConfig } from '#shared/models/provider.ts'
import { answer } from '../answer.ts'
import { catalogueFilters, catalogueWarnings } from '../catalogue-filters.ts'
import type { AppEnv, AppOptions } from '../env.ts'
import { entityTag, expectedVersions, locationOf } from '../entity-tag.ts'
import { idempotencyOf } from '../idempotency.ts'
import { answerPage } from '../page.ts'
import { boolean, filterReader, refuseUnknown, slice } from '../query.ts'
import { readBody } from '../read-body.ts'

const PARAMETERS = ['limit', 'offset', 'benchmarks', 'name', 'tags', 'owner', 'scope']

export const providers = ({ maxBodyBytes, newRequestId }: AppOptions) =>
  new Hono<AppEnv>()
    .post('/', async (c) => {
      const body = await readBody(c, maxBodyBytes, { isStored: true })
      const config = decode(ProviderConfig, 'ProviderConfig', body)
      refuseLargeProvider(config)
      const created = await c.var.tenantStore.createProvider(newRequestId(), config, await idempotencyOf(c, body))
      return answer(c, 201, created, { ...locationOf(c, created.resource.id), ...entityTag(created.resource.updated_at) })
    })
    .get('/', async (c) => {
      const page = slice(c.req)
      const filters = catalogueFilters(c.req, filterReader(c.req))
      refuseUnknown(c.req, PARAMETERS)
      const withBenchmarks = boolean(c.req, 'benchmarks', true)
      return answerPage(c, page, await c.var.tenantStore.listProviders(filters, page, withBenchmarks), catalogueWarnings(filters))
    })
    .get('/:id', async (c) => {
      const id = c.req.param('id')
      const provider = await c.var.tenantStore.findProvider(id)
      if (!provider) throw notFound('provider', id)
      return answer(c, 200, provider, entityTag(provider.resource.updated_at))
    })
    .put('/:id', async (c) => {
      const config = decode(ProviderConfig, 'ProviderConfig', await readBody(c, maxBodyBytes, { isStored: true }))
      const provider = await c.var.tenantStore.changeProvider(c.req.param('id'), () => config, expectedVersions(c))
      return answer(c, 200, provider, entityTag(provider.resource.updated_at))
    })
    .patch('/:id', async (c) => {
      const operations = readPatch(parseJson(await readBody(c, maxBodyBytes)), PROVIDER_RULES)
      const patched = (config: ProviderConfig) => decodeValue(ProviderConfig, 'ProviderConfig', applyPatch(config, operations))
      const provider = await c.var.tenantStore.changeProvider(c.req.param('id'), patched, expectedVersions(c))
      return answer(c, 200, provider, entityTag(provider.resource.updated_at))
    })
    .delete('/:id', async (c) => {
      await c.var.tenantStore.deleteProvider(c.req.param('id'), expectedVersions(c))
      return answer(c, 204)
    })
