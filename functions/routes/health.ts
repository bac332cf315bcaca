import { Hono } from 'hono'
import { HubError } from '#shared/errors.ts'
import { answer } from '../answer.ts'
import type { AppEnv, AppOptions } from '../env.ts'

/** Below the time-out of most probes, which would otherwise not learn why. */
const READY_LIMIT_MS = 2000

/** That this process answers. It asks nothing else, so that a database that is away does not get the process restarted. */
export const health = ({ now }: AppOptions) =>
  new Hono<AppEnv>().get('/', (c) => answer(c, 200, { status: 'healthy', timestamp: now().toISOString() }))

/**
 * That requests would find a database that has all migrations of this release, and be served: `database_not_migrated` or `unavailable` if not, and at the
 * latest after 2 seconds.
 */
export const readiness = ({ checkReady, storeOf, now }: AppOptions) =>
  new Hono<AppEnv>().get('/', async (c) => {
    await within(READY_LIMIT_MS, checkReady?.() ?? storeOf(c.req.raw).checkMigrated()).catch((cause: unknown) => {
      throw cause instanceof HubError ? cause : HubError.of('unavailable', { Error: 'its database is not ready.' }, cause)
    })
    return answer(c, 200, { status: 'ready', timestamp: now().toISOString() })
  })

async function within(limitMs: number, check: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${limitMs / 1000} s`)), limitMs)
  })
  await Promise.race([check, late]).finally(() => clearTimeout(timer))
}
