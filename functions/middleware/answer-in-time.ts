import type { MiddlewareHandler } from 'hono'
import { HubError } from '#shared/errors.ts'
import type { AppEnv } from '../env.ts'

/** Answers `unavailable` when a request takes longer than `limitMs`: a client should hear that soon, and not wait for a database that is away. */
export const answerInTime = (limitMs: number): MiddlewareHandler<AppEnv> =>
  async function answerInTime(_, next) {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(HubError.of('unavailable', { Error: `it took longer than ${limitMs / 1000} s.` })), limitMs)
    })
    await Promise.race([next(), late]).finally(() => clearTimeout(timer))
  }
