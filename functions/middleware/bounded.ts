import type { MiddlewareHandler } from 'hono'
import type { FairBudget } from '#shared/fair-budget.ts'
import type { AppEnv } from '../env.ts'

/** How long who has less than half of the places waits for those that have more to give up some. */
const WAIT_MS = 1000

/**
 * Works on as many requests at once as there are places, and refuses more with `unavailable`: a client that is told so soon can go elsewhere or come
 * again, one in an endless queue cannot. A request counts until its work has ended, also if it was answered before, because it took too long.
 *
 * Who has more than half of the places gives up its newest requests, with the same answer, when others come.
 */
export const bounded = (places: FairBudget): MiddlewareHandler<AppEnv> =>
  async function bounded(c, next) {
    const party = c.get('party')
    const giveBack = () => {
      c.get('giveUp')('others have come for whom there was no place.')
      // What is left of its work is cancelled; a body that does not end is bounded otherwise.
      place.release()
      return true
    }
    const waitMs = 2 * places.heldBy(party) >= places.size ? 0 : WAIT_MS
    const place = await places.take({ party, amount: 1, waitMs, signal: c.get('signal'), giveBack })
    try {
      await next()
    } finally {
      place.release()
    }
  }
