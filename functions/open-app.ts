import { Hono } from 'hono'
import { HubError } from '#shared/errors.ts'
import { createFairBudget } from '#shared/fair-budget.ts'
import { NOSNIFF } from './answer.ts'
import type { AppEnv, AppOptions } from './env.ts'
import { errorResponse } from './error-response.ts'
import { createMemory } from './memory.ts'
import { answerInTime } from './middleware/answer-in-time.ts'
import { bounded } from './middleware/bounded.ts'
import { holdMemory } from './middleware/hold-memory.ts'
import { notThroughSidecar } from './middleware/not-through-sidecar.ts'
import { requestId } from './middleware/request-id.ts'
import { requestLog } from './middleware/request-log.ts'
import { shortUrl } from './middleware/short-url.ts'

/** As long as the published server takes to write an answer. */
const ANSWER_LIMIT_MS = 15_000

/** Far more than a database keeps up with in that time, and few enough to hold in memory. */
const MAX_CONCURRENT_REQUESTS = 2000

/** A quarter of the heap that a process is started with, and time for a few large answers to be made; a client of the contract waits longer. */
export const MEMORY = { bytes: 64 * 1024 * 1024, waitMs: 5000 }

/** Who has more than its share of the places gives up some when others have waited so long. */
const YIELD_GRACE_MS = 5

/** An app without routes: each request has an id and is told of, and errors and unknown paths are answered as everywhere. */
export function openApp({ log, storeOf, newRequestId, onAnswered }: AppOptions): Hono<AppEnv> {
  const app = new Hono<AppEnv>()
  app.onError(errorResponse({ log, storeOf }))
  app.notFound(() => new Response('404 page not found\n', { status: 404, headers: PLAIN_TEXT }))
  app.use(requestId(newRequestId))
  if (onAnswered) app.use(requestLog(onAnswered))
  app.use(shortUrl)
  app.use(notThroughSidecar)
  app.use(function refuseNoHost(c, next) {
    // What serves HTTP has put the header into it, and looked at its characters only.
    if (URL.canParse(c.req.url)) return next()
    throw HubError.of('request_validation_failed', { Error: 'Host must name a host' })
  })
  return app
}

const PLAIN_TEXT = { 'Content-Type': 'text/plain; charset=utf-8', ...NOSNIFF }

/** Bounds the time that requests take. Stands before all that takes any. */
export function limitTime(app: Hono<AppEnv>, { answerLimitMs = ANSWER_LIMIT_MS }: AppOptions): void {
  app.use(answerInTime(answerLimitMs))
}

/** Bounds what requests take together on these paths: places and memory, which tenants share. Stands after those who find out who asks. */
export function boundRequests(app: Hono<AppEnv>, options: AppOptions, paths: readonly string[]): void {
  const { maxConcurrentRequests: size = MAX_CONCURRENT_REQUESTS, openMemory = createMemory(MEMORY).open, onPlaces } = options
  const refusal = () => HubError.of('unavailable', { Error: `it is at work on ${size} requests.` })
  const places = createFairBudget({ size, graceMs: YIELD_GRACE_MS, refusal, maxWaiting: size })
  onPlaces?.(places)
  for (const path of paths) app.use(path, bounded(places), holdMemory(openMemory))
}

/** Refuses what no route shall see. Stands after those who judge who asks, since a stranger is told of no method. */
export function refuseOdd(app: Hono<AppEnv>): void {
  // Hono would answer HEAD as GET; the published server does not.
  app.use(function refuseHead(c, next) {
    if (c.req.method === 'HEAD') throw methodNotAllowed(c.req)
    return next()
  })
  // PostgreSQL takes no U+0000, so nothing has such an id.
  app.use('/api/v1/*', function refuseNul(c, next) {
    return c.req.url.includes('%00') && c.req.path.includes('\0') ? Promise.resolve(c.notFound()) : next()
  })
}

/** Stands after all routes: their paths answer other methods with 405 instead of 404. */
export function refuseOtherMethods(app: Hono<AppEnv>, paths: readonly string[]): void {
  for (const path of paths) {
    app.all(path, (c) => {
      throw methodNotAllowed(c.req)
    })
  }
}

function methodNotAllowed({ method, url }: { method: string; url: string }): HubError {
  const { pathname, search } = new URL(url)
  return HubError.of('method_not_allowed', { Method: method, Api: pathname + search })
}
