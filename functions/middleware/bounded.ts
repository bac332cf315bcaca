import type { MiddlewareHandler } from 'hono'
import { HubError } from '#shared/errors.ts'
import type { AppEnv } from '../env.ts'

/**
 * Works on `max` requests at once, and refuses more with `unavailable`: a client that is told so at once can go elsewhere or come again,
 * one in an endless queue cannot. A request counts until its work has ended, also if it was answered before, because it took too long.
 */
export function bounded(max: number): MiddlewareHandler<AppEnv> {
  let underWay = 0
  return async function bounded(_, next) {
    if (underWay >= max) throw HubError.of('unavailable', { Error: `it is at work on ${max} requests.` })
    underWay += 1
    try {
      await next()
    } finally {
      underWay -= 1
    }
  }
}
