import { Hono } from 'hono'
import { decode } from '#shared/decode.ts'
import { HubError } from '#shared/errors.ts'
import { StatusEvent } from '#shared/models/event.ts'
import { answer } from '../answer.ts'
import type { AppEnv, AppOptions } from '../env.ts'
import { readBody } from '../read-body.ts'

export const events = ({ storeOf, maxBodyBytes, now }: AppOptions) =>
  new Hono<AppEnv>().post('/', async (c) => {
    const { benchmark_status_event: event } = decode(StatusEvent, 'StatusEvent', await readBody(c, maxBodyBytes))
    const { run, tenant } = c.var.reporter
    if (run && run.benchmarkIndex !== event.benchmark_index) {
      throw HubError.of('forbidden', {
        Error: `The run token is that of benchmark ${run.benchmarkIndex}, not of ${event.benchmark_index}.`,
      })
    }
    const reporter = { ...(run && { attempt: run.attempt }), ...(tenant !== undefined && { tenant }) }
    // Mounted below a path that has this parameter.
    await storeOf(c.req.raw).recordEvent({ evaluationId: c.req.param('id') ?? '', event, ...reporter }, now().toISOString())
    return answer(c, 204)
  })
