import { timeOf } from './log-lines.ts'

/** What tells kept lines from new ones when a log is read again from some time on. */
export type LogOverlap = {
  /** A new reading begins: kept lines of the last seconds will come again. */
  begin(): void
  /** From when on it is to be read, in whole seconds: the API knows no finer. Undefined: from its beginning. */
  sinceTime(): string | undefined
  /** What the next line of the reading is. `after_gap`: new, and what was kept before it did not come again. */
  judge(time: string): 'kept' | 'new' | 'after_gap'
  /** The line is kept from now on. */
  add(time: string): void
  /** A line of which a beginning is kept has come again: nothing is missing before it. */
  meet(): void
}

type Begun = { begun?: string | undefined; isCut?: boolean }

const windowMs = 2000
/** Times that are remembered, of which there may be more for a moment; then fewer seconds are. */
const timesMax = 4000

/**
 * Lines are known by their times, which have nine digits. Of several lines of one time as many are kept ones as were added.
 *
 * `kept` has the times of the last kept lines, and `begun` that of a line after them of which a beginning is kept.
 * Two streams of a container may be a little out of order, so lines of the last two seconds are counted, and older ones taken as kept; with `isCut`
 * also those that are older than what is left of a log of which younger ones were taken away.
 */
export function createLogOverlap(kept: readonly string[], { begun = '', isCut = false }: Begun = {}): LogOverlap {
  let counts = new Map<string, number>()
  const least = (isCut && kept[0]) || ''
  let [newest, floor] = ['', least]
  /** So many are gathered before old ones are forgotten. */
  let room = 256
  /** Kept lines that have not come again in this reading; undefined once a new line has come. */
  let expected: Map<string, number> | undefined
  let hasOverlap = false

  const forgetOld = () => {
    const times = [...counts.keys()].sort()
    const byTime = timeOf(Date.parse(newest) - windowMs)
    const byCount = times[times.length - timesMax] ?? ''
    for (const time of [least, byTime, byCount]) if (time > floor) floor = time
    counts = new Map([...counts].filter(([time]) => time >= floor))
    room = 256 + 2 * counts.size
  }
  const add = (time: string) => {
    counts.set(time, (counts.get(time) ?? 0) + 1)
    if (time > newest) newest = time
    if (counts.size > room) forgetOld()
  }
  for (const time of kept) add(time)
  if (begun > newest) newest = begun

  return {
    add,
    meet: () => void (hasOverlap = true),
    begin() {
      if (newest === '') return
      forgetOld()
      expected = new Map(counts)
      hasOverlap = false
    },
    sinceTime() {
      if (newest === '') return undefined
      return `${new Date(Date.parse(newest) - 1000).toISOString().slice(0, 19)}Z`
    },
    judge(time) {
      if (!expected) return 'new'
      const left = expected.get(time) ?? 0
      if (left > 0) expected.set(time, left - 1)
      if (left > 0 || time < floor) {
        hasOverlap = true
        return 'kept'
      }
      if (time <= newest) return 'new'
      expected = undefined
      return hasOverlap ? 'new' : 'after_gap'
    },
  }
}
