import { Hono } from 'hono'
import { versionOf, type EvaluationFilters } from '#db/queries/evaluations.ts'
import { decode } from '#shared/decode.ts'
import { filterWarnings } from '#shared/domain/filter-warnings.ts'
import { notFound } from '#shared/errors.ts'
import { EvaluationJobConfig } from '#shared/models/evaluation.ts'
import { EVALUATION_STATES } from '#shared/models/states.ts'
import { answer, answerText } from '../answer.ts'
import type { AppEnv, AppOptions } from '../env.ts'
import { entityTag, expectedVersions, locationOf } from '../entity-tag.ts'
import { idempotencyOf } from '../idempotency.ts'
import { answerPage } from '../page.ts'
import { boolean, filterReader, refuseUnknown, slice } from '../query.ts'
import { readBody } from '../read-body.ts'
import { submit } from '../submit.ts'

const PARAMETERS = ['limit', 'offset', 'status', 'name', 'tags', 'owner', 'experiment_id']

function warningsOf({ name, tags, owner, status, experiment_id }: EvaluationFilters): string[] {
  const asked = filterWarnings([
    { name: 'name', filter: name },
    { name: 'tags', filter: tags, hasMany: true },
    { name: 'owner', filter: owner, canNegate: true },
    { name: 'status', filter: status, values: EVALUATION_STATES, canNegate: true },
  ])
  const hasExperiment = experiment_id && !experiment_id.negated
  return [...asked, ...(hasExperiment ? ['experiment_id finds nothing: jobs of this hub have no MLflow experiment.'] : [])]
}

export const evaluations = ({ maxBodyBytes, newId, now }: AppOptions) =>
  new Hono<AppEnv>()
    .post('/', async (c) => {
      const body = await readBody(c, maxBodyBytes, { isStored: true })
      const request = decode(EvaluationJobConfig, 'EvaluationJobConfig', body)
      const idempotency = await idempotencyOf(c, body)
      const job = await submit(c.var.tenantStore, { id: newId(), request, idempotency })
      return answer(c, 202, job, locationOf(c, job.resource.id))
    })
    .get('/', async (c) => {
      const page = slice(c.req)
      const filter = filterReader(c.req)
      const filters = {
        name: filter('name'),
        tags: filter('tags'),
        owner: filter('owner', true),
        status: filter('status', true),
        experiment_id: filter('experiment_id', true),
      }
      refuseUnknown(c.req, PARAMETERS)
      return answerPage(c, page, await c.var.tenantStore.listEvaluations(filters, page), warningsOf(filters))
    })
    .get('/:id', async (c) => {
      const id = c.req.param('id')
      const job = await c.var.tenantStore.findEvaluation(id)
      if (!job) throw notFound('evaluation job', id)
      const text = JSON.stringify(job)
      return answerText(c, 200, text, entityTag(await versionOf(text)))
    })
    .delete('/:id', async (c) => {
      const id = c.req.param('id')
      const { tenantStore } = c.var
      // A job that is not there is said before a parameter that is wrong.
      if (c.req.query('hard_delete') !== undefined && !(await tenantStore.hasEvaluation(id))) throw notFound('evaluation job', id)
      const end = boolean(c.req, 'hard_delete', false) ? tenantStore.deleteEvaluation : tenantStore.cancelEvaluation
      await end(id, now().toISOString(), expectedVersions(c))
      return answer(c, 204)
    })
