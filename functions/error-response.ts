import type { Context, ErrorHandler } from 'hono'
import { isOfOtherSchema } from '#db/queries/readiness.ts'
import type { Store } from '#db/store.ts'
import { isTooSlow, isUnavailable } from '#db/unavailable.ts'
import { HubError, statusOf } from '#shared/errors.ts'
import type { ErrorBody } from '#shared/models/error.ts'
import { answer } from './answer.ts'
import type { AppEnv, AppOptions } from './env.ts'

/** What is needed to answer an error. */
type Rim = Pick<AppOptions, 'log' | 'storeOf'>

async function toHubError({ storeOf }: Rim, thrown: unknown, c: Context<AppEnv>): Promise<HubError> {
  if (thrown instanceof HubError) return thrown
  if (isTooSlow(thrown)) return HubError.of('unavailable', { Error: 'its database took too long.' }, thrown)
  if (isUnavailable(thrown)) return HubError.of('unavailable', { Error: 'its database is not reachable.' }, thrown)
  return (isOfOtherSchema(thrown) && (await migrationRefusal(storeOf(c.req.raw)))) || HubError.of('internal_server_error', {}, thrown)
}

/** Why a statement may have named what is not there; undefined if the database was migrated, or cannot say. */
async function migrationRefusal({ checkMigrated }: Store): Promise<HubError | undefined> {
  return checkMigrated().then(
    () => undefined,
    (error: unknown) => (error instanceof HubError ? error : undefined),
  )
}

/** What a client of HTTP needs to know with a status. */
const HEADERS: Readonly<Record<number, Record<string, string>>> = { 401: { 'WWW-Authenticate': 'Bearer' }, 503: { 'Retry-After': '2' } }

/** The one place where an error becomes HTTP. What is not the caller's doing is logged whole and answered without detail. */
export async function errorAnswer(rim: Rim, thrown: unknown, c: Context<AppEnv>): Promise<ErrorAnswer> {
  const error = await toHubError(rim, thrown, c)
  const trace = c.var.requestId
  const status = statusOf(error.code)
  // Refusals without a cause are this hub's own: the log would grow with the load that they are about.
  if (status >= 500 && !(status === 503 && error.cause === undefined))
    rim.log.error(error.message, error.cause, { trace, method: c.req.method, path: c.req.path })
  return { status, body: { message_code: error.code, message: error.message, trace }, headers: headersOf(status, error) }
}

type ErrorAnswer = { status: number; body: ErrorBody; headers: Record<string, string> }

const headersOf = (status: number, { retryAfterSeconds }: HubError) => ({
  ...HEADERS[status],
  ...(retryAfterSeconds !== undefined && { 'Retry-After': String(retryAfterSeconds) }),
})

/** A request that failed as a whole. */
export const errorResponse =
  (rim: Rim): ErrorHandler<AppEnv> =>
  async (thrown, c) => {
    const { status, body, headers } = await errorAnswer(rim, thrown, c)
    return answer(c, status, body, headers)
  }
