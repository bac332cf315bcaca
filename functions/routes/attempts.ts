import { Hono } from 'hono'
import { notFound } from '#shared/errors.ts'
import { answer } from '../answer.ts'
import type { AppEnv } from '../env.ts'
import { benchmarkIndex } from '../query.ts'

/** The tries of a run, so that what went wrong before a retry can be read. An addition to the published API. */
export const attempts = () =>
  new Hono<AppEnv>().get('/:id/benchmarks/:index/attempts', async (c) => {
    const { id, index } = c.req.param()
    const items = await c.var.tenantStore.listAttempts(id, benchmarkIndex(index))
    if (items) return answer(c, 200, { total_count: items.length, items })
    throw (await c.var.tenantStore.hasEvaluation(id)) ? notFound('benchmark', index) : notFound('evaluation job', id)
  })
