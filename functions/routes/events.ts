import { Hono } from 'hono'
import { decode } from '#shared/decode.ts'
import { StatusEvent } from '#shared/models/event.ts'
import { answer } from '../answer.ts'
import type { AppEnv, AppOptions } from '../env.ts'
import { readBody } from '../read-body.ts'

export const events = ({ store, maxBodyBytes, now }: AppOptions) =>
  new Hono<AppEnv>().post('/', async (c) => {
    const { benchmark_status_event: event } = decode(StatusEvent, 'StatusEvent', await readBody(c, maxBodyBytes))
    // Mounted below a path that has this parameter.
    await store.recordEvent({ evaluationId: c.req.param('id') ?? '', event }, now().toISOString())
    return answer(c, 204)
  })
