import type { MiddlewareHandler } from 'hono'
import { forTenant } from '#db/store.ts'
import { HubError } from '#shared/errors.ts'
import type { AppEnv, AppOptions } from '../env.ts'
import type { Caller, Identify } from '../identity/identity.ts'

const READING = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Gives the route what its caller may see. Refuses who is nobody, and with `forbidden` who may not read, or not write: the method says
 * which it is, unless `needed` does.
 */
export const identity = (storeOf: AppOptions['storeOf'], identify: Identify, needed?: 'read'): MiddlewareHandler<AppEnv> =>
  async function identity(c, next) {
    const caller = await identify(c.req.raw.headers)
    requirePermission(caller, needed ?? (READING.has(c.req.method) ? 'read' : 'write'))
    c.set('tenant', caller.scope.tenant)
    c.set('tenantStore', forTenant(storeOf(c.req.raw), caller.scope, c.var.memory.reserve))
    return next()
  }

function requirePermission({ permissions }: Caller, needed: 'read' | 'write') {
  if (!permissions.has(needed)) throw HubError.of('forbidden', { Error: `The request needs the scope '${needed}'.` })
}
