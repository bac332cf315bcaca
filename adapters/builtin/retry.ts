import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from './random.ts'
import { backoffMs, isRetryable, RequestError } from './request-error.ts'

type Patience = {
  /** Repetitions after the first try. */
  maxRetries: number
  firstMs: number
  random: Random
  signal: AbortSignal
}

/** Repeats what may succeed later; throws the last error. An abort ends a pause at once with the signal's reason. */
export async function withRetries<Result>(once: () => Promise<Result>, { maxRetries, firstMs, random, signal }: Patience): Promise<Result> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await once()
    } catch (error) {
      if (!(error instanceof RequestError) || !isRetryable(error) || attempt >= maxRetries) throw error
      const ms = backoffMs(attempt, { firstMs, random: random(), retryAfterMs: error.retryAfterMs })
      await pause(ms, undefined, { signal }).catch(() => {
        throw signal.reason
      })
    }
  }
}
