export type Figures = { perSecond: number; p50Ms: number; p99Ms: number }

/** Before this, nothing is measured. */
const WARM_UP_MS = 500

/**
 * Calls `operation` from `connections` loops at once, for a moment unmeasured and then for `seconds`, or until it answers that there is nothing
 * left to do; at least once, however long that takes.
 */
export async function measure(operation: (loop: number) => Promise<unknown>, connections: number, seconds: number): Promise<Figures> {
  const latencies: number[] = []
  const begin = performance.now() + WARM_UP_MS
  const end = begin + seconds * 1000
  let last = begin
  const loop = async (number: number) => {
    for (let started = performance.now(); started < end || latencies.length === 0;) {
      if ((await operation(number)) === NOTHING_LEFT) return
      const finished = performance.now()
      if (started >= begin) latencies.push(finished - started)
      started = finished
      last = finished
    }
  }
  await Promise.all(Array.from({ length: connections }, (_, number) => loop(number)))
  latencies.sort((a, b) => a - b)
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN
  return { perSecond: latencies.length / ((last - begin) / 1000), p50Ms: at(0.5), p99Ms: at(0.99) }
}

/** What an operation answers that can be done a number of times only. */
export const NOTHING_LEFT = Symbol('nothing left')

/** The middle one of an odd number of values. */
export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
