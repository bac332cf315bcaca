import type { Hono } from 'hono'
import type { AppEnv, AppOptions } from './env.ts'
import { runReporter } from './middleware/reporter.ts'
import { boundRequests, limitTime, openApp, refuseOdd, refuseOtherMethods } from './open-app.ts'
import { EVENTS, events } from './routes/events.ts'
import { health } from './routes/health.ts'

/**
 * What tenants' pods may reach: the events of runs, for who holds the token of the run, and a probe. No header and no other token says who asks,
 * so nothing that an adapter sends makes it anybody else.
 */
export function createEventsApp(options: AppOptions): Hono<AppEnv> {
  const app = openApp(options)
  limitTime(app, options)
  app.use(EVENTS, runReporter(options.identity.runTokenKey))
  boundRequests(app, options, [EVENTS])
  refuseOdd(app)
  app.route('/healthz', health(options))
  app.route(EVENTS, events(options))
  refuseOtherMethods(app, ['/healthz', EVENTS])
  return app
}
