import type { Context, MiddlewareHandler } from 'hono'
import { HubError } from '#shared/errors.ts'
import { isRunToken, readRunToken } from '#shared/run-token.ts'
import type { AppEnv } from '../env.ts'
import { bearerOf } from '../identity/bearer.ts'
import type { Identify, Identity } from '../identity/identity.ts'

type EventContext = Context<AppEnv, '/:id'>

/** Who reports where nothing but run tokens is known: the adapter that holds the token of the run. Everybody else is refused with `unauthorized`, before the body is read. */
export const runReporter = (runTokenKey: string | undefined): MiddlewareHandler<AppEnv, '/:id'> =>
  async function runReporter(c, next) {
    const token = bearerOf(c.req.raw.headers)
    if (token === undefined || !isRunToken(token)) throw HubError.of('unauthorized', { Error: 'This port takes run tokens only.' })
    await takeRunToken(c, runTokenKey, token)
    return next()
  }

/**
 * Who reports on a run: the adapter that holds the run's token, else a caller that may report without one, for the runs of its tenant.
 *
 * Everybody else is refused before the body is read. Behind a proxy run tokens are refused too: adapters must not reach what believes its headers.
 */
export const reporter = ({ mode, runTokenKey }: Identity, identify: Identify): MiddlewareHandler<AppEnv, '/:id'> =>
  async function reporter(c, next) {
    const token = bearerOf(c.req.raw.headers)
    if (token !== undefined && isRunToken(token)) {
      if (mode === 'headers')
        throw HubError.of('unauthorized', { Error: 'Run tokens are taken on EVENTS_PORT only, and not on this port.' })
      await takeRunToken(c, runTokenKey, token)
      return next()
    }
    const { scope, permissions } = await identify(c.req.raw.headers)
    c.set('tenant', scope.tenant)
    c.set('user', scope.user)
    if (!permissions.has('report')) throw HubError.of('forbidden', { Error: 'Events need a run token.' })
    c.set('party', `tenant ${scope.tenant}`)
    // Without identities a local adapter, which names no tenant, reports for every run.
    c.set('reporter', scope.everyTenant ? {} : { tenant: scope.tenant })
    return next()
  }

async function takeRunToken(c: EventContext, key: string | undefined, token: string): Promise<void> {
  const id = c.req.param('id')
  const run = key === undefined ? undefined : await readRunToken(key, id, token)
  if (!run) throw HubError.of('unauthorized', { Error: 'The run token is not one of this job.' })
  c.set('reporter', { run })
  // Whose the job is would have to be looked up: each is a party of its own.
  c.set('party', `job ${id.toLowerCase()}`)
}
