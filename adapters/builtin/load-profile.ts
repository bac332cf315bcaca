import { setTimeout as pause } from 'node:timers/promises'

/** When a level of load ends: after so many requests, or after so long, whichever comes first. */
export type LevelEnd = { requests: number; durationMs: number }

/** One level of load. `rate` starts a request every 1/rate seconds whatever is under way; the other keeps `concurrency` under way. */
export type Level = { concurrency: number; rate?: number }

/** `scheduledAt` is when the request should have been sent, by `performance.now()`; it may be sent later if too many are under way. */
export type Fire = (index: number, scheduledAt: number) => Promise<void>

type Settings = { profile: 'constant' | 'concurrent' | 'sweep'; concurrency: number; rate: number; levels: readonly number[] }

/** The levels of a profile, in order. */
export function levelsOf({ profile, concurrency, rate, levels }: Settings): Level[] {
  if (profile === 'sweep') return levels.map((level) => ({ concurrency: level }))
  return [profile === 'constant' ? { concurrency, rate } : { concurrency }]
}

/** Waits for a slot rather than dropping a request: the wait shows in the latency, which counts from the schedule. */
async function driveConstant(
  rate: number,
  concurrency: number,
  { requests, durationMs }: LevelEnd,
  fire: Fire,
  signal: AbortSignal,
): Promise<void> {
  const start = performance.now()
  const underWay = new Set<Promise<void>>()
  for (let index = 0; index < requests; index++) {
    const scheduledAt = start + (index * 1000) / rate
    if (scheduledAt - start >= durationMs) break
    const wait = scheduledAt - performance.now()
    if (wait > 0) await pause(wait, undefined, { signal })
    while (underWay.size >= concurrency) await Promise.race(underWay)
    signal.throwIfAborted()
    const request: Promise<void> = fire(index, scheduledAt).finally(() => underWay.delete(request))
    underWay.add(request)
  }
  await Promise.all(underWay)
}

async function driveConcurrent(concurrency: number, { requests, durationMs }: LevelEnd, fire: Fire, signal: AbortSignal): Promise<void> {
  const start = performance.now()
  let next = 0
  const worker = async () => {
    while (next < requests && performance.now() - start < durationMs) {
      signal.throwIfAborted()
      await fire(next++, performance.now())
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, requests) }, worker))
}

/** Puts one level of load on the endpoint and answers when its last request is over. The first error of `fire` is thrown. */
export function driveLevel({ concurrency, rate }: Level, end: LevelEnd, fire: Fire, signal: AbortSignal): Promise<void> {
  return rate === undefined ? driveConcurrent(concurrency, end, fire, signal) : driveConstant(rate, concurrency, end, fire, signal)
}
