import type { MiddlewareHandler } from 'hono'
import { forTenant, type Store } from '#db/store.ts'
import type { AppEnv } from '../env.ts'

/** Mode `none`: identity headers are used when they are sent. Without a tenant the caller is the operator, who sees all jobs. */
export const identity = (store: Store): MiddlewareHandler<AppEnv> =>
  function identity(c, next) {
    const tenant = c.req.header('X-Tenant') ?? ''
    const user = c.req.header('X-User') ?? ''
    c.set('tenantStore', forTenant(store, { tenant, user, everyTenant: tenant === '' }))
    return next()
  }
