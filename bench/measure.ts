export type Figures = { perSecond: number; p50Ms: number; p99Ms: number }

/** Calls `operation` from `connections` loops at once, for a second unmeasured and then for `seconds`. */
export async function measure(operation: (loop: number) => Promise<unknown>, connections: number, seconds: number): Promise<Figures> {
  const latencies: number[] = []
  const begin = performance.now() + 1000
  const end = begin + seconds * 1000
  const loop = async (number: number) => {
    for (let started = performance.now(); started < end;) {
      await operation(number)
      const finished = performance.now()
      if (started >= begin && finished <= end) latencies.push(finished - started)
      started = finished
    }
  }
  await Promise.all(Array.from({ length: connections }, (_, number) => loop(number)))
  latencies.sort((a, b) => a - b)
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN
  return { perSecond: latencies.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99) }
}
