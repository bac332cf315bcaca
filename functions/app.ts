import { Hono } from 'hono'
import { HubError } from '#shared/errors.ts'
import type { AppEnv, AppOptions } from './env.ts'
import { errorResponse } from './error-response.ts'
import { identifier } from './identity/identify.ts'
import { createMemory } from './memory.ts'
import { answerInTime } from './middleware/answer-in-time.ts'
import { bounded } from './middleware/bounded.ts'
import { cleanPath } from './middleware/clean-path.ts'
import { holdMemory } from './middleware/hold-memory.ts'
import { identity } from './middleware/identity.ts'
import { localOnly } from './middleware/local-only.ts'
import { reporter } from './middleware/reporter.ts'
import { requestId } from './middleware/request-id.ts'
import { requestLog } from './middleware/request-log.ts'
import { attempts } from './routes/attempts.ts'
import { batch } from './routes/batch.ts'
import { collections } from './routes/collections.ts'
import { docs } from './routes/docs.ts'
import { evaluations } from './routes/evaluations.ts'
import { events } from './routes/events.ts'
import { health, readiness } from './routes/health.ts'
import { logs } from './routes/logs.ts'
import { metrics } from './routes/metrics.ts'
import { providers } from './routes/providers.ts'

const JOBS = '/api/v1/evaluations/jobs'
const PROVIDERS = '/api/v1/evaluations/providers'
const COLLECTIONS = '/api/v1/evaluations/collections'
const BATCH = '/api/v1/evaluations/batch/jobs'
const BATCH_STATES = `${BATCH}/states`

/** As long as the published server takes to write an answer. */
const ANSWER_LIMIT_MS = 15_000

/** Far more than a database keeps up with in that time, and few enough to hold in memory. */
const MAX_CONCURRENT_REQUESTS = 2000

/** A quarter of the heap that a process is started with, and time for a few large answers to be made; a client of the contract waits longer. */
const MEMORY = { bytes: 64 * 1024 * 1024, waitMs: 5000 }

const EVENTS = `${JOBS}/:id/events`

/** Paths on which a caller sees what is its tenant's. */
const TENANT_PATHS = [
  JOBS,
  `${JOBS}/:id`,
  `${JOBS}/:id/logs`,
  `${JOBS}/:id/benchmarks/:index/logs`,
  `${JOBS}/:id/benchmarks/:index/attempts`,
  PROVIDERS,
  `${PROVIDERS}/:id`,
  COLLECTIONS,
  `${COLLECTIONS}/:id`,
  BATCH,
]

/** Paths that answer other methods with 405 instead of 404. */
const PATHS = [...TENANT_PATHS, BATCH_STATES, EVENTS, '/api/v1/health', '/healthz', '/readyz', '/openapi.yaml', '/openapi.json', '/docs']

/** The HTTP application, the same on every runtime. It does nothing between requests. */
export function createApp(options: AppOptions): Hono<AppEnv> {
  const app = new Hono<AppEnv>()
  app.onError(errorResponse(options.log))
  app.notFound(() => new Response('404 page not found\n', { status: 404, headers: PLAIN_TEXT }))

  app.use(requestId(options.newRequestId))
  if (options.onAnswered) app.use(requestLog(options.onAnswered))
  // A hub with identities is for other machines too, and no page may ask it in its reader's name.
  if (options.identity.mode === 'none') app.use(localOnly)
  app.use(cleanPath)
  app.use(answerInTime(options.answerLimitMs ?? ANSWER_LIMIT_MS))
  app.use('/api/v1/evaluations/*', bounded(options.maxConcurrentRequests ?? MAX_CONCURRENT_REQUESTS))
  app.use('/api/v1/evaluations/*', holdMemory(createMemory({ ...MEMORY, ...options.memory })))
  const identify = identifier(options.identity, options.now)
  const ofTenant = identity(options.storeOf, identify)
  for (const path of TENANT_PATHS) app.use(path, ofTenant)
  // A question, which is too long for a URL.
  app.use(BATCH_STATES, identity(options.storeOf, identify, 'read'))
  app.use(EVENTS, reporter(options.identity, identify))
  // Hono would answer HEAD as GET; the published server does not.
  app.use(function refuseHead(c, next) {
    if (c.req.method === 'HEAD') throw methodNotAllowed(c.req)
    return next()
  })
  // PostgreSQL takes no U+0000, so nothing has such an id.
  app.use('/api/v1/*', function refuseNul(c, next) {
    return c.req.url.includes('%00') && c.req.path.includes('\0') ? Promise.resolve(c.notFound()) : next()
  })
  app.route('/api/v1/health', health(options))
  app.route('/healthz', health(options))
  app.route('/readyz', readiness(options))
  if (options.readMetrics) app.route('/metrics', metrics(options.readMetrics))
  app.route('/', docs(options))
  app.route(EVENTS, events(options))
  app.route(JOBS, logs(options))
  app.route(JOBS, attempts())
  app.route(JOBS, evaluations(options))
  app.route(BATCH, batch(options))
  app.route(PROVIDERS, providers(options))
  app.route(COLLECTIONS, collections(options))
  for (const path of PATHS) {
    app.all(path, (c) => {
      throw methodNotAllowed(c.req)
    })
  }
  return app
}

const PLAIN_TEXT = { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' }

function methodNotAllowed({ method, url }: { method: string; url: string }): HubError {
  const { pathname, search } = new URL(url)
  return HubError.of('method_not_allowed', { Method: method, Api: pathname + search })
}
