import { Hono } from 'hono'
import { NOSNIFF, REQUEST_ID_HEADER } from '../answer.ts'
import type { AppEnv, AppOptions } from '../env.ts'
import { fewAtOnce } from '../middleware/few-at-once.ts'

/** More than any installation has scrapers. */
const SCRAPES = 32

/** What was measured, in Prometheus' text. */
export const metrics = (readMetrics: NonNullable<AppOptions['readMetrics']>) =>
  new Hono<AppEnv>().all('/', fewAtOnce(SCRAPES), async (c) => {
    const { type, bytes } = await readMetrics()
    return new Response(bytes, { headers: { 'Content-Type': type, [REQUEST_ID_HEADER]: c.var.requestId, ...NOSNIFF } })
  })
