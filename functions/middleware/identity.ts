import type { MiddlewareHandler } from 'hono'
import { forTenant, type Store } from '#db/store.ts'
import { HubError } from '#shared/errors.ts'
import type { AppEnv } from '../env.ts'

/** Far above the 63 characters of a Kubernetes namespace, and below what an index of the database can hold. */
const MAX_TENANT_LENGTH = 253

/** Mode `none`: identity headers are used when they are sent. Without a tenant the caller is the operator, who sees all jobs. */
export const identity = (store: Store): MiddlewareHandler<AppEnv> =>
  function identity(c, next) {
    const tenant = c.req.header('X-Tenant') ?? ''
    const user = c.req.header('X-User') ?? ''
    if (tenant.length > MAX_TENANT_LENGTH) {
      throw HubError.of('request_validation_failed', { Error: `X-Tenant must have at most ${MAX_TENANT_LENGTH} characters` })
    }
    c.set('tenantStore', forTenant(store, { tenant, user, everyTenant: tenant === '' }))
    return next()
  }
