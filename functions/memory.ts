import type { Held } from '#db/reserve.ts'
import { HubError } from '#shared/errors.ts'
import { createFairBudget, type FairBudget, type GiveBack, type Hold } from '#shared/fair-budget.ts'

const full = () => HubError.of('unavailable', { Error: 'its memory is taken up by other requests.' })

/** Who holds more than half gives up some, where it can, when others have waited so long. */
const GRACE_MS = 1000

const budgetOf = (size: number): FairBudget => createFairBudget({ size, graceMs: GRACE_MS, refusal: full })

/** What is at most this is given from a share of its own, so that requests of the usual size never wait for large ones. */
const SMALL = 1024 * 1024

/** A budget for small values, and one for others. */
function twoLanes(size: number) {
  const [small, large] = [budgetOf(size / 4), budgetOf((3 * size) / 4)]
  return { large, laneOf: (bytes: number) => (bytes <= SMALL ? small : large) }
}

/** Held for each byte of a value's footprint (`shared/domain/footprint.ts`): for the value, what is made of it, and its text on the way in and out. */
const HELD_PER_BYTE = 4

/** Answers under way piece by piece, and how much longer they wait for a piece than others wait at all. */
const [TURNS, PATIENCE] = [4, 3]

/** Readers of logs at once. */
const READERS = 48

/**
 * What one request holds, on its party's account: of each thing that requests share, no party holds more than half while another waits, as far as what
 * is held can be given back.
 */
export type RequestMemory = {
  /** For the bytes of a body that is being read: apart from all else, so that what has been read never waits for what has not. */
  reserveBody: (bytes: number, giveBack: GiveBack) => Hold | Promise<Hold>
  /** For one that does not say how long it is; `grow` adds to it, and refuses with `unavailable` what is not free. */
  openBody: (giveBack: GiveBack) => { grow: (bytes: number) => void; release: () => void }
  /**
   * For a value of this footprint, and as much again for what will be reserved `later`; until the end of the request unless released before. An
   * answer that has begun waits longer. Who holds memory for large values already, or says `atOnce`, waits for nobody, so that no two wait for each
   * other: what is not free is refused at once, unless nobody else holds any.
   */
  reserve: (footprint: number, how?: { later?: number; atOnce?: boolean }) => Held | Promise<Held>
  /** For an answer of `bytes` until it has been sent: outlives the request. If that is not free, refuses with `unavailable` unless it `isOwed`. */
  keepForAnswer: (bytes: number, isOwed: boolean, giveBack?: GiveBack) => Hold
  /** One of the few places of those that answer piece by piece, for whom others wait again and again. Outlives the request. */
  takeTurn: (giveBack?: GiveBack) => Hold | Promise<Hold>
  /** The place of a reader of logs, of whose log about 2 MiB are held. Outlives the request. */
  takeReader: (giveBack?: GiveBack) => Hold | Promise<Hold>
  /** Gives back what is held. */
  release: () => void
}

export type OpenMemory = (party: string) => RequestMemory

export type MemoryOptions = {
  /** What requests may hold together. */
  bytes: number
  /** How long one waits for others before it is refused. */
  waitMs: number
}

const NOTHING: Held = { release: () => undefined }

/** Makes the memory of each request out of what this process has for all. */
export function createMemory({ bytes: size, waitMs }: MemoryOptions): OpenMemory {
  const [bodies, values] = [twoLanes(size / 4), twoLanes((3 * size) / 4)]
  const [turns, readers] = [budgetOf(TURNS), budgetOf(READERS)]
  return (party) => {
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
      if (hold.amount > SMALL) large = hold
      return hold
    }
    const grown = (hold: Hold, bytes: number): Held => {
      if (!values.large.grow(hold, bytes)) throw full()
      return { release: () => hold.shrink(hold.amount - bytes) }
    }
    return {
      reserveBody: (bytes, giveBack) => keptWhen(bodies.laneOf(bytes).take({ party, amount: bytes, waitMs, giveBack })),
      openBody(giveBack) {
        const hold = kept(bodies.large.takeAnyway(party, 0, giveBack))
        const grow = (bytes: number) => {
          if (!bodies.large.grow(hold, bytes)) throw full()
        }
        return { grow, release: hold.release }
      },
      reserve(footprint, { later = 0, atOnce = false } = {}) {
        const saved = Math.min(spare, HELD_PER_BYTE * footprint)
        spare += HELD_PER_BYTE * later - saved
        const bytes = HELD_PER_BYTE * (footprint + later) - saved
        if (bytes === 0) return NOTHING
        if (large && large.amount > 0) return grown(large, bytes)
        const hold = values.laneOf(bytes).take({ party, amount: bytes, waitMs: atOnce ? 0 : patienceMs })
        return hold instanceof Promise ? hold.then((one) => asLarge(kept(one))) : asLarge(kept(hold))
      },
      keepForAnswer(bytes, isOwed, giveBack) {
        const at = holds.findIndex((hold) => hold.amount >= bytes)
        const lane = values.laneOf(bytes)
        if (at < 0) return isOwed ? lane.takeAnyway(party, bytes, giveBack) : taken(lane.takeNow(party, bytes, giveBack))
        // The request has it: nothing waits that could be refused now.
        const [hold] = holds.splice(at, 1) as [Hold]
        hold.shrink(bytes)
        if (giveBack) hold.lend(giveBack)
        return hold
      },
      takeTurn: (giveBack) => turns.take({ party, amount: 1, waitMs, giveBack }),
      takeReader: (giveBack) => readers.take({ party, amount: 1, waitMs, giveBack }),
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
