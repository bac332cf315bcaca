import { Hono } from 'hono'
import { versionOf } from '#db/queries/evaluations.ts'
import { decode } from '#shared/decode.ts'
import { resolveBenchmarks } from '#shared/domain/resolve-benchmarks.ts'
import { notFound } from '#shared/errors.ts'
import { EvaluationJobConfig } from '#shared/models/evaluation.ts'
import { answer } from '../answer.ts'
import type { AppEnv, AppOptions } from '../env.ts'
import { entityTag, expectedVersions, locationOf } from '../entity-tag.ts'
import { idempotencyOf } from '../idempotency.ts'
import { toPage } from '../page.ts'
import { boolean, filter, refuseUnknown, slice } from '../query.ts'
import { readBody } from '../read-body.ts'

const PARAMETERS = ['limit', 'offset', 'name', 'tags', 'owner', 'status', 'experiment_id']

/** Threshold of a job's score where neither the job nor its collection has one. */
const DEFAULT_THRESHOLD = 0.5

export const evaluations = ({ maxBodyBytes, newId, now }: AppOptions) =>
  new Hono<AppEnv>()
    .post('/', async (c) => {
      const body = await readBody(c, maxBodyBytes)
      const request = decode(EvaluationJobConfig, 'EvaluationJobConfig', body)
      const collectionId = request.collection?.id
      const { collection, found } = await c.var.tenantStore.resolve(request)
      if (collectionId !== undefined && !collection) throw notFound('collection', collectionId)

      const named = collection && collectionId !== undefined ? { id: collectionId, config: collection.config } : undefined
      const job = await c.var.tenantStore.createEvaluation({
        id: newId(),
        request,
        specs: resolveBenchmarks(request, named, found),
        aggregateThreshold: request.pass_criteria?.threshold ?? named?.config.pass_criteria?.threshold ?? DEFAULT_THRESHOLD,
        collectionUpdatedAt: collection?.updated_at ?? null,
        idempotency: await idempotencyOf(c, body),
      })
      return answer(c, 202, job, locationOf(c, job.resource.id))
    })
    .get('/', async (c) => {
      const page = slice(c.req)
      const filters = {
        name: filter(c.req, 'name'),
        tags: filter(c.req, 'tags'),
        owner: filter(c.req, 'owner', true),
        status: filter(c.req, 'status', true),
        experiment_id: filter(c.req, 'experiment_id', true),
      }
      refuseUnknown(c.req, PARAMETERS)
      return answer(c, 200, toPage(c.req.url, page, await c.var.tenantStore.listEvaluations(filters, page)))
    })
    .get('/:id', async (c) => {
      const id = c.req.param('id')
      const job = await c.var.tenantStore.findEvaluation(id)
      if (!job) throw notFound('evaluation job', id)
      return answer(c, 200, job, entityTag(await versionOf(job)))
    })
    .delete('/:id', async (c) => {
      const id = c.req.param('id')
      const { tenantStore } = c.var
      // A job that is not there is said before a parameter that is wrong.
      if (c.req.query('hard_delete') !== undefined && !(await tenantStore.findEvaluation(id))) throw notFound('evaluation job', id)
      const end = boolean(c.req, 'hard_delete', false) ? tenantStore.deleteEvaluation : tenantStore.cancelEvaluation
      await end(id, now().toISOString(), expectedVersions(c))
      return answer(c, 204)
    })
