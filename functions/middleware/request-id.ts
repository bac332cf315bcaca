import type { MiddlewareHandler } from 'hono'
import type { AppEnv } from '../env.ts'
import { REQUEST_ID_HEADER } from '../answer.ts'

/** Longer ids are somebody's mistake, and would make every log line as long. */
const MAX_LENGTH = 128

/** Takes the request's id from its header, or makes one. */
export const requestId = (newRequestId: () => string): MiddlewareHandler<AppEnv> =>
  function requestId(c, next) {
    c.set('requestId', c.req.header(REQUEST_ID_HEADER)?.slice(0, MAX_LENGTH) || newRequestId())
    return next()
  }
