import type { MiddlewareHandler } from 'hono'
import { HubError } from '#shared/errors.ts'
import type { AppEnv } from '../env.ts'

/**
 * Answers `unavailable` when a request takes longer than `limitMs`: a client should hear that soon, and not wait for a database that is away. The same
 * when it is given up for another reason. Either way `signal` tells what works on it that nobody waits any more.
 */
export const answerInTime = (limitMs: number): MiddlewareHandler<AppEnv> =>
  async function answerInTime(c, next) {
    const over = new AbortController()
    c.set('signal', over.signal)
    c.set('giveUp', (why) => over.abort(HubError.of('unavailable', { Error: why })))
    const timer = setTimeout(() => c.get('giveUp')(`it took longer than ${limitMs / 1000} s.`), limitMs)
    const late = new Promise<never>((_, reject) => {
      over.signal.addEventListener('abort', () => reject(over.signal.reason), { once: true })
    })
    await Promise.race([next(), late]).finally(() => clearTimeout(timer))
  }
