import type { MiddlewareHandler } from 'hono'
import { HubError } from '#shared/errors.ts'
import { isRunToken, readRunToken } from '#shared/run-token.ts'
import type { AppEnv } from '../env.ts'
import { bearerOf } from '../identity/bearer.ts'
import type { Identify, Identity } from '../identity/identity.ts'

/**
 * Who reports on a run: the adapter that holds the run's token, else a caller that may report without one, for the runs of its tenant.
 *
 * Everybody else is refused before the body is read.
 */
export const reporter = ({ mode, runTokenKey }: Identity, identify: Identify): MiddlewareHandler<AppEnv, '/:id'> =>
  async function reporter(c, next) {
    const token = bearerOf(c.req.raw.headers)
    if (token !== undefined && isRunToken(token)) {
      const run = runTokenKey === undefined ? undefined : await readRunToken(runTokenKey, c.req.param('id'), token)
      if (!run) throw HubError.of('unauthorized', { Error: 'The run token is not one of this job.' })
      c.set('reporter', { run })
      return next()
    }
    const { scope, permissions } = await identify(c.req.raw.headers)
    if (!permissions.has('report')) throw HubError.of('forbidden', { Error: 'Events need a run token.' })
    c.set('tenant', scope.tenant)
    // Without identities events are found by run, whatever tenant is named: local adapters name none.
    c.set('reporter', mode === 'none' ? {} : { tenant: scope.tenant })
    return next()
  }
