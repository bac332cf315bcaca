import { Hono } from 'hono'
import { NOSNIFF, REQUEST_ID_HEADER } from '../answer.ts'
import type { AppEnv, AppOptions } from '../env.ts'

/** What was measured, in Prometheus' text. */
export const metrics = (readMetrics: NonNullable<AppOptions['readMetrics']>) =>
  new Hono<AppEnv>().all('/', async (c) => {
    const { type, text } = await readMetrics()
    return new Response(text, { headers: { 'Content-Type': type, [REQUEST_ID_HEADER]: c.var.requestId, ...NOSNIFF } })
  })
