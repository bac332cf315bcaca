import type { Hono } from 'hono'
import type { AppEnv, AppOptions } from './env.ts'
import { identifier } from './identity/identify.ts'
import { cleanPath } from './middleware/clean-path.ts'
import { identity } from './middleware/identity.ts'
import { localOnly } from './middleware/local-only.ts'
import { proxyOnly } from './middleware/proxy-only.ts'
import { reporter } from './middleware/reporter.ts'
import { boundRequests, limitTime, openApp, refuseOdd, refuseOtherMethods } from './open-app.ts'
import { attempts } from './routes/attempts.ts'
import { batch } from './routes/batch.ts'
import { collections } from './routes/collections.ts'
import { docs } from './routes/docs.ts'
import { evaluations } from './routes/evaluations.ts'
import { EVENTS, events } from './routes/events.ts'
import { health, readiness } from './routes/health.ts'
import { logs } from './routes/logs.ts'
import { metrics } from './routes/metrics.ts'
import { providers } from './routes/providers.ts'
import { welcome } from './routes/welcome.ts'

const JOBS = '/api/v1/evaluations/jobs'
const PROVIDERS = '/api/v1/evaluations/providers'
const COLLECTIONS = '/api/v1/evaluations/collections'
const BATCH = '/api/v1/evaluations/batch/jobs'
const BATCH_STATES = `${BATCH}/states`

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
  const app = openApp(options)
  // A hub with identities is for other machines too, and no page may ask it in its reader's name.
  if (options.identity.mode === 'none') app.use(localOnly)
  if (options.identity.mode === 'headers' && options.identity.proxySecret !== undefined) app.use(proxyOnly(options.identity.proxySecret))
  app.use(cleanPath)
  limitTime(app, options)
  const identify = identifier(options.identity, options.now)
  const ofTenant = identity(options.storeOf, identify)
  for (const path of TENANT_PATHS) app.use(path, ofTenant)
  // A question, which is too long for a URL.
  app.use(BATCH_STATES, identity(options.storeOf, identify, 'read'))
  app.use(EVENTS, reporter(options.identity, identify))
  boundRequests(app, options, [...TENANT_PATHS, BATCH_STATES, EVENTS])
  // Before HEAD is refused, which a page answers. Other hubs are for programs, and answer 404 there as the published server does.
  if (options.identity.mode === 'none') app.route('/', welcome(options))
  refuseOdd(app)
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
  refuseOtherMethods(app, PATHS)
  return app
}
