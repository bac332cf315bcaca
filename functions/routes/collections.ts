import { Hono } from 'hono'
import { notFound } from '#shared/errors.ts'
import { answer } from '../answer.ts'
import { catalogueFilters } from '../catalogue-filters.ts'
import type { AppEnv } from '../env.ts'
import { toPage } from '../page.ts'
import { filter, refuseUnknown, slice } from '../query.ts'

const PARAMETERS = ['limit', 'offset', 'name', 'tags', 'owner', 'scope', 'category']

export const collections = () =>
  new Hono<AppEnv>()
    .get('/', async (c) => {
      const page = slice(c.req)
      const filters = { ...catalogueFilters(c.req), category: filter(c.req, 'category') }
      refuseUnknown(c.req, PARAMETERS)
      return answer(c, 200, toPage(c.req.url, page, await c.var.tenantStore.listCollections(filters, page)))
    })
    .get('/:id', async (c) => {
      const id = c.req.param('id')
      const collection = await c.var.tenantStore.findCollection(id)
      if (!collection) throw notFound('collection', id)
      return answer(c, 200, collection)
    })
