import type { MiddlewareHandler } from 'hono'
import { HubError } from '#shared/errors.ts'
import type { AppEnv } from '../env.ts'
import { whenClosed } from '../when-closed.ts'

/**
 * For long answers that anybody gets, who counts as nobody: at most so many are made and sent at once, and more are refused with `unavailable`.
 * One counts until it was sent or cut off. Where the runtime does not say when that is, they are its own affair.
 */
export function fewAtOnce(places: number): MiddlewareHandler<AppEnv> {
  let taken = 0
  return function fewAtOnce(c, next) {
    if (!c.env?.outgoing) return next()
    if (taken >= places) throw HubError.of('unavailable', { Error: `it is sending ${places} answers of this kind already.` })
    taken++
    whenClosed(c, () => void taken--)
    return next()
  }
}
