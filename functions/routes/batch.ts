import { Hono, type Context } from 'hono'
import { z } from 'zod'
import { decode, decodeValue } from '#shared/decode.ts'
import { EvaluationJobConfig } from '#shared/models/evaluation.ts'
import { JobBatch, JobIds, MAX_BATCH_JOBS, type JobOutcome, type JobOutcomes, type JobStates } from '#shared/models/job-batch.ts'
import { answer } from '../answer.ts'
import type { AppEnv, AppOptions } from '../env.ts'
import { errorAnswer } from '../error-response.ts'
import { idempotencyFor, idempotencyKeyOf } from '../idempotency.ts'
import { readBody } from '../read-body.ts'
import { requestBudget, submit, type RequestBudget } from '../submit.ts'

type One = { id: string; job: unknown; key: string | undefined }

/** The batch itself; each of its jobs is judged apart. */
const Batch = JobBatch.extend({ jobs: z.array(z.unknown()).min(1).max(MAX_BATCH_JOBS) })

/** Many jobs in one request. Why the paths are these: docs/decisions/0003-batches.md. */
export const batch = ({ log, storeOf, maxBodyBytes, newId }: AppOptions) => {
  async function submitOne(c: Context<AppEnv>, { id, job, key }: One, budget: RequestBudget): Promise<JobOutcome> {
    try {
      const request = await budget.turns.inOrder(() => decodeValue(EvaluationJobConfig, 'EvaluationJobConfig', job))
      const idempotency = key === undefined ? undefined : await idempotencyFor(key, job)
      return { status: 202, job: await submit(c.var.tenantStore, { id, request, idempotency }, budget) }
    } catch (thrown) {
      const { status, body } = await errorAnswer({ log, storeOf }, thrown, c)
      return { status, error: body }
    }
  }

  return new Hono<AppEnv>()
    .post('/', async (c) => {
      const { jobs } = decode(Batch, 'JobBatch', await readBody(c, maxBodyBytes, { isStored: true }))
      const key = idempotencyKeyOf(c)
      const keyAt = (at: number) => (key === undefined ? undefined : `${key}/${at}`)
      const budget = requestBudget()
      // Ids in the order of the jobs; their writes are gathered, so that most of them are one statement.
      const items = await Promise.all(jobs.map((job, at) => submitOne(c, { id: newId(), job, key: keyAt(at) }, budget)))
      return answer(c, 200, { items } satisfies JobOutcomes)
    })
    .post('/states', async (c) => {
      const ids = [...new Set(decode(JobIds, 'JobIds', await readBody(c, maxBodyBytes)).ids)]
      const states = await c.var.tenantStore.findJobStates(ids)
      const byId = new Map(states.map((state) => [state.id, state]))
      const stateOf = (id: string) => byId.get(id.toLowerCase())
      const items = ids.flatMap((id) => stateOf(id) ?? [])
      return answer(c, 200, { items, not_found: ids.filter((id) => !stateOf(id)) } satisfies JobStates)
    })
}
