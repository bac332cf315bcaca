import { setTimeout as delay } from 'node:timers/promises'

/** Resolves when one may go on who has taken these bytes; rejects when `signal` is aborted. */
export type Pace = (bytes: number, signal: AbortSignal) => Promise<void>

/** All who share it take `bytesPerSecond` together, in the order in which they ask. `nowMs` never goes back. */
export function createPace(bytesPerSecond: number, nowMs: () => number): Pace {
  let freeAtMs = 0
  return async (bytes, signal) => {
    const now = nowMs()
    freeAtMs = Math.max(freeAtMs, now) + (bytes / bytesPerSecond) * 1000
    await delay(freeAtMs - now, undefined, { signal })
  }
}
