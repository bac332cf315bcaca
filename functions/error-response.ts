import type { Context, ErrorHandler } from 'hono'
import { isTooSlow, isUnavailable } from '#db/unavailable.ts'
import { HubError, statusOf } from '#shared/errors.ts'
import type { Log } from '#shared/log.ts'
import type { ErrorBody } from '#shared/models/error.ts'
import { answer } from './answer.ts'
import type { AppEnv } from './env.ts'

function toHubError(thrown: unknown): HubError {
  if (thrown instanceof HubError) return thrown
  if (isTooSlow(thrown)) return HubError.of('unavailable', { Error: 'its database took too long.' }, thrown)
  if (isUnavailable(thrown)) return HubError.of('unavailable', { Error: 'its database is not reachable.' }, thrown)
  return HubError.of('internal_server_error', {}, thrown)
}

/** What a client of HTTP needs to know with a status. */
const HEADERS: Readonly<Record<number, Record<string, string>>> = { 401: { 'WWW-Authenticate': 'Bearer' }, 503: { 'Retry-After': '2' } }

/** The one place where an error becomes HTTP. What is not the caller's doing is logged whole and answered without detail. */
export function errorAnswer(log: Log, thrown: unknown, c: Context<AppEnv>): ErrorAnswer {
  const error = toHubError(thrown)
  const trace = c.var.requestId
  const status = statusOf(error.code)
  // Refusals without a cause are this hub's own: the log would grow with the load that they are about.
  if (status >= 500 && !(error.code === 'unavailable' && error.cause === undefined))
    log.error(error.message, error.cause, { trace, method: c.req.method, path: c.req.path })
  return { status, body: { message_code: error.code, message: error.message, trace }, headers: headersOf(status, error) }
}

type ErrorAnswer = { status: number; body: ErrorBody; headers: Record<string, string> }

const headersOf = (status: number, { retryAfterSeconds }: HubError) => ({
  ...HEADERS[status],
  ...(retryAfterSeconds !== undefined && { 'Retry-After': String(retryAfterSeconds) }),
})

/** A request that failed as a whole. */
export const errorResponse =
  (log: Log): ErrorHandler<AppEnv> =>
  (thrown, c) => {
    const { status, body, headers } = errorAnswer(log, thrown, c)
    return answer(c, status, body, headers)
  }
