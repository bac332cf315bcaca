import type { Hono } from 'hono'
import type { AppEnv, AppOptions } from './env.ts'
import { openApp } from './open-app.ts'
import { health, readiness } from './routes/health.ts'
import { metrics } from './routes/metrics.ts'

/** What only operators' machines ask: probes, and what was measured. It believes nobody and shows nothing of any tenant. */
export function createHealthApp(options: AppOptions): Hono<AppEnv> {
  const app = openApp(options)
  app.route('/healthz', health(options))
  app.route('/readyz', readiness(options))
  if (options.readMetrics) app.route('/metrics', metrics(options.readMetrics))
  return app
}
