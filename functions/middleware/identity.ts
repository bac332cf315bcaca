import type { MiddlewareHandler } from 'hono'
import type { Reserve } from '#db/reserve.ts'
import { forTenant } from '#db/store.ts'
import { HubError } from '#shared/errors.ts'
import type { AppEnv, AppOptions } from '../env.ts'
import type { Caller, Identify } from '../identity/identity.ts'
import { whenClosed } from '../when-closed.ts'

const READING = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Gives the route what its caller may see. Refuses who is nobody, and with `forbidden` who may not read, or not write: the method says
 * which it is, unless `needed` does.
 */
export const identity = (storeOf: AppOptions['storeOf'], identify: Identify, needed?: 'read'): MiddlewareHandler<AppEnv> =>
  async function identity(c, next) {
    const caller = await identify(c.req.raw.headers)
    const { tenant, user } = caller.scope
    c.set('tenant', tenant)
    c.set('user', user)
    const permission = needed ?? (READING.has(c.req.method) ? 'read' : 'write')
    requirePermission(caller, permission)
    c.set('party', `tenant ${tenant}`)
    // Nobody waits for what is read. What is written is written all the same: an adapter may end as soon as it has sent its last event.
    if (permission === 'read') whenClosed(c, () => c.env.outgoing?.writableFinished || c.get('giveUp')('its caller has left.'))
    // Its memory is given later, when it has a place.
    const reserve: Reserve = (...args) => c.get('memory').reserve(...args)
    c.set('tenantStore', forTenant(storeOf(c.req.raw), caller.scope, reserve, c.get('signal')))
    return next()
  }

function requirePermission({ permissions }: Caller, needed: 'read' | 'write') {
  if (!permissions.has(needed)) throw HubError.of('forbidden', { Error: `The request needs the scope '${needed}'.` })
}
