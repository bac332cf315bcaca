import type { Held } from '#db/reserve.ts'
import { HubError } from '#shared/errors.ts'

/** Part of a budget that is in use. */
export type Hold = {
  bytes: number
  /** Gives back all but `bytes`. */
  shrink: (bytes: number) => void
  /** Gives it back. Once more does nothing. */
  release: () => void
}

/** A bound of what all requests of this process hold together. */
type Budget = {
  /** Undefined if that is not free now. */
  takeNow: (bytes: number) => Hold | undefined
  /** Whether it is free or not. */
  takeAnyway: (bytes: number) => Hold
  /** Adds to what is held. False if that is not free, unless nobody else holds anything. */
  grow: (hold: Hold, bytes: number) => boolean
  /** Waits until it is free, in the order of asking, and refuses with `unavailable` after `waitMs`. */
  take: (bytes: number, waitMs: number) => Hold | Promise<Hold>
}

type Waiting = { bytes: number; grant: (hold: Hold) => void }

/** What is more than the whole budget is given the whole, so nothing is refused for ever. */
function createBudget(size: number): Budget {
  let used = 0
  const queue: Waiting[] = []

  function holdOf(bytes: number): Hold {
    used += bytes
    const hold: Hold = {
      bytes,
      shrink(to) {
        if (to >= hold.bytes) return
        used -= hold.bytes - to
        hold.bytes = to
        grantNext()
      },
      release: () => hold.shrink(0),
    }
    return hold
  }
  function grantNext() {
    for (let next = queue[0]; next && used + next.bytes <= size; next = queue[0]) {
      queue.shift()
      next.grant(holdOf(next.bytes))
    }
  }
  function takeNow(wanted: number): Hold | undefined {
    const bytes = Math.min(wanted, size)
    return queue.length === 0 && used + bytes <= size ? holdOf(bytes) : undefined
  }
  function wait(bytes: number, waitMs: number): Promise<Hold> {
    const { promise, resolve, reject } = Promise.withResolvers<Hold>()
    const waiting: Waiting = {
      bytes,
      grant(hold) {
        clearTimeout(timer)
        resolve(hold)
      },
    }
    const timer = setTimeout(() => {
      queue.splice(queue.indexOf(waiting), 1)
      reject(full())
      // It may have stood before some that fit.
      grantNext()
    }, waitMs)
    queue.push(waiting)
    return promise
  }
  return {
    takeNow,
    takeAnyway: holdOf,
    grow(hold, bytes) {
      if (used + bytes > size && used > hold.bytes) return false
      used += bytes
      hold.bytes += bytes
      return true
    },
    take(bytes, waitMs) {
      const hold = takeNow(bytes)
      if (hold) return hold
      if (waitMs === 0) throw full()
      return wait(Math.min(bytes, size), waitMs)
    },
  }
}

const full = () => HubError.of('unavailable', { Error: 'its memory is taken up by other requests.' })

/** What is at most this is given from a share of its own, so that requests of the usual size never wait for large ones. */
const SMALL = 1024 * 1024

function twoLanes(size: number): Budget & { openLarge: () => Hold } {
  const [small, large] = [createBudget(size / 4), createBudget((3 * size) / 4)]
  const laneOf = (bytes: number) => (bytes <= SMALL ? small : large)
  return {
    takeNow: (bytes) => laneOf(bytes).takeNow(bytes),
    takeAnyway: (bytes) => laneOf(bytes).takeAnyway(bytes),
    grow: large.grow,
    openLarge: () => large.takeAnyway(0),
    take: (bytes, waitMs) => laneOf(bytes).take(bytes, waitMs),
  }
}

/** Held for each byte of a value's footprint (`shared/domain/footprint.ts`): for the value, what is made of it, and its text on the way in and out. */
const HELD_PER_BYTE = 4

/** Answers under way piece by piece, and how much longer they wait for a piece than others wait at all. */
const [TURNS, PATIENCE] = [4, 3]

/** Readers of logs at once. */
const READERS = 48

/** What one request holds. */
export type RequestMemory = {
  /** For the bytes of a body that is being read: apart from all else, so that what has been read never waits for what has not. */
  reserveBody: (bytes: number) => Hold | Promise<Hold>
  /** For one that does not say how long it is; `grow` adds to it, and refuses with `unavailable` what is not free. */
  openBody: () => { grow: (bytes: number) => void; release: () => void }
  /**
   * For a value of this footprint, and as much again for what will be reserved `later`; until the end of the request unless released before. An
   * answer that has begun waits longer. Who holds memory for large values already, or says `atOnce`, waits for nobody, so that no two wait for each
   * other: what is not free is refused at once, unless nobody else holds any.
   */
  reserve: (footprint: number, how?: { later?: number; atOnce?: boolean }) => Held | Promise<Held>
  /** For an answer of `bytes` until it has been sent: outlives the request. If that is not free, refuses with `unavailable` unless it `isOwed`. */
  keepForAnswer: (bytes: number, isOwed: boolean) => Hold
  /** One of the few places of those that answer piece by piece, for whom others wait again and again. Outlives the request. */
  takeTurn: () => Hold | Promise<Hold>
  /** The place of a reader of logs, of whose log about 2 MiB are held. Outlives the request. */
  takeReader: () => Hold | Promise<Hold>
  /** Gives back what is held. */
  release: () => void
}

export type MemoryOptions = {
  /** What requests may hold together. */
  bytes: number
  /** How long one waits for others before it is refused. */
  waitMs: number
}

const NOTHING: Held = { release: () => undefined }

/** Makes the memory of each request out of what this process has for all. */
export function createMemory({ bytes: size, waitMs }: MemoryOptions): () => RequestMemory {
  const [bodies, values] = [twoLanes(size / 4), twoLanes((3 * size) / 4)]
  const [turns, readers] = [createBudget(TURNS), createBudget(READERS)]
  return () => {
    const holds: Hold[] = []
    /** Of `holds`, what large values take. */
    let large: Hold | undefined
    /** Of that, what was reserved for later. */
    let spare = 0
    let patienceMs = waitMs
    const kept = (hold: Hold) => {
      holds.push(hold)
      return hold
    }
    const keptWhen = (hold: Hold | Promise<Hold>) => (hold instanceof Promise ? hold.then(kept) : kept(hold))
    const asLarge = (hold: Hold) => {
      if (hold.bytes > SMALL) large = hold
      return hold
    }
    const grown = (hold: Hold, bytes: number): Held => {
      if (!values.grow(hold, bytes)) throw full()
      return { release: () => hold.shrink(hold.bytes - bytes) }
    }
    return {
      reserveBody: (bytes) => keptWhen(bodies.take(bytes, waitMs)),
      openBody() {
        const hold = kept(bodies.openLarge())
        const grow = (bytes: number) => {
          if (!bodies.grow(hold, bytes)) throw full()
        }
        return { grow, release: hold.release }
      },
      reserve(footprint, { later = 0, atOnce = false } = {}) {
        const saved = Math.min(spare, HELD_PER_BYTE * footprint)
        spare += HELD_PER_BYTE * later - saved
        const bytes = HELD_PER_BYTE * (footprint + later) - saved
        if (bytes === 0) return NOTHING
        if (large && large.bytes > 0) return grown(large, bytes)
        const hold = values.take(bytes, atOnce ? 0 : patienceMs)
        return hold instanceof Promise ? hold.then((one) => asLarge(kept(one))) : asLarge(kept(hold))
      },
      keepForAnswer(bytes, isOwed) {
        const at = holds.findIndex((hold) => hold.bytes >= bytes)
        if (at < 0) return isOwed ? values.takeAnyway(bytes) : taken(values.takeNow(bytes))
        // The request has it: nothing waits that could be refused now.
        const [hold] = holds.splice(at, 1) as [Hold]
        hold.shrink(bytes)
        return hold
      },
      takeTurn: () => turns.take(1, waitMs),
      takeReader: () => readers.take(1, waitMs),
      release() {
        patienceMs = PATIENCE * waitMs
        large = undefined
        spare = 0
        for (const hold of holds.splice(0)) hold.release()
      },
    }
  }
}

function taken(hold: Hold | undefined): Hold {
  if (!hold) throw full()
  return hold
}
