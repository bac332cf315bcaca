import type { Held } from '#db/reserve.ts'
import { HubError } from '#shared/errors.ts'
import { createFairBudget, type FairBudget, type GiveBack, type Hold } from '#shared/fair-budget.ts'
import { createHoldings } from './holdings.ts'

const full = () => HubError.of('unavailable', { Error: 'its memory is taken up by other requests.' })

/** Who holds more than half gives up some, where it can, when others have waited so long. */
const GRACE_MS = 1000

const budgetOf = (size: number): FairBudget => createFairBudget({ size, graceMs: GRACE_MS, refusal: full })

/** What is at most this is given from a share of its own, so that requests of the usual size never wait for large ones. */
const SMALL = 1024 * 1024

/** A budget for small values, and one for others. */
function twoLanes(size: number) {
  const [small, large] = [budgetOf(size / 4), budgetOf((3 * size) / 4)]
  return { small, large, laneOf: (bytes: number) => (bytes <= SMALL ? small : large) }
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
   * other: what is not free is refused at once, unless nobody else holds any. Who waits leaves with the request, or with `signal`.
   */
  reserve: (footprint: number, how?: { later?: number; atOnce?: boolean; signal?: AbortSignal }) => Held | Promise<Held>
  /** For an answer of `bytes` until it has been sent. If that is not free, refuses with `unavailable` unless it `isOwed`. */
  keepForAnswer: (bytes: number, isOwed: boolean, giveBack?: GiveBack) => Held
  /** One of the few places of those that answer piece by piece, for whom others wait again and again. For the answer. */
  takeTurn: (giveBack?: GiveBack) => Held | Promise<Held>
  /** The place of a reader of logs, of whose log about 2 MiB are held. For the answer. */
  takeReader: (giveBack?: GiveBack) => Held | Promise<Held>
  /** What values have been reserved for until now is for the answer too: it is made of them while it is sent. */
  keepValues: () => void
  /** The work has ended: gives back what is not for the answer. What is reserved from here on is. */
  release: () => void
  /** The answer has been sent, or nobody takes it: gives back the rest. From here on nothing is given, nor what was waited for. */
  end: () => void
}

/** `signal`: aborted when nobody waits for the answer any more. */
export type OpenMemory = (party: string, signal?: AbortSignal) => RequestMemory

/** What requests share, and so what they may hold: bytes, and places of those that answer a list piece by piece, or a log. */
export const SHARED_BYTES = ['small_bodies', 'large_bodies', 'small_values', 'large_values'] as const
export const SHARED_PLACES = ['long_lists', 'logs'] as const
export type Shared = (typeof SHARED_BYTES)[number] | (typeof SHARED_PLACES)[number]

export type Memory = {
  open: OpenMemory
  /** What all requests hold together. */
  held: () => Record<Shared, number>
}

export type MemoryOptions = {
  /** What requests may hold together. */
  bytes: number
  /** How long one waits for others before it is refused. */
  waitMs: number
}

const NOTHING: Held = { release: () => undefined }

/** Makes the memory of each request out of what this process has for all. */
export function createMemory({ bytes: size, waitMs }: MemoryOptions): Memory {
  const shares = { bodies: twoLanes(size / 4), values: twoLanes((3 * size) / 4), turns: budgetOf(TURNS), readers: budgetOf(READERS) }
  const { bodies, values, turns, readers } = shares
  return {
    open: (party, signal) => openRequest(shares, { party, signal, waitMs }),
    held: () => ({
      small_bodies: bodies.small.used(),
      large_bodies: bodies.large.used(),
      small_values: values.small.used(),
      large_values: values.large.used(),
      long_lists: turns.used(),
      logs: readers.used(),
    }),
  }
}

type Lanes = ReturnType<typeof twoLanes>
type Shares = { bodies: Lanes; values: Lanes; turns: FairBudget; readers: FairBudget }
type Request = { party: string; signal: AbortSignal | undefined; waitMs: number }

function openRequest({ bodies, values, turns, readers }: Shares, { party, signal, waitMs }: Request): RequestMemory {
  const holdings = createHoldings()
  /** Of the work's, what large values take. */
  let large: Hold | undefined
  /** Of that, what was reserved for later. */
  let spare = 0
  let patienceMs = waitMs
  const asLarge = (hold: Hold) => {
    if (hold.amount > SMALL) large = hold
    return hold
  }
  const grown = (hold: Hold, bytes: number): Held => {
    if (!values.large.grow(hold, bytes)) throw full()
    // What the answer has of it is the answer's.
    let rest = bytes
    const release = () => {
      if (holdings.isOfWork(hold)) hold.shrink(hold.amount - rest)
      rest = 0
    }
    return { release }
  }
  return {
    reserveBody: (bytes, giveBack) => holdings.add('body', bodies.laneOf(bytes).take({ party, amount: bytes, waitMs, signal, giveBack })),
    openBody(giveBack) {
      const hold = bodies.large.takeAnyway(party, 0, giveBack)
      void holdings.add('body', hold)
      const grow = (bytes: number) => {
        if (!bodies.large.grow(hold, bytes)) throw full()
      }
      return { grow, release: hold.release }
    },
    reserve(footprint, { later = 0, atOnce = false, signal: own } = {}) {
      const saved = Math.min(spare, HELD_PER_BYTE * footprint)
      spare += HELD_PER_BYTE * later - saved
      const bytes = HELD_PER_BYTE * (footprint + later) - saved
      if (bytes === 0) return NOTHING
      if (large && large.amount > 0) return grown(large, bytes)
      const over = own && signal ? AbortSignal.any([own, signal]) : (own ?? signal)
      const hold = values.laneOf(bytes).take({ party, amount: bytes, waitMs: atOnce ? 0 : patienceMs, signal: over })
      const added = holdings.add('value', hold)
      return added instanceof Promise ? added.then(asLarge) : asLarge(added)
    },
    keepForAnswer(bytes, isOwed, giveBack) {
      // An error that is answered in the place of the work's answer is not counted.
      if (holdings.isEnded()) return NOTHING
      const lane = values.laneOf(bytes)
      const hold = holdings.keep((one) => one.amount >= bytes)
      if (!hold)
        return holdings.add('answer', isOwed ? lane.takeAnyway(party, bytes, giveBack) : taken(lane.takeNow(party, bytes, giveBack)))
      // The request has it: nothing waits that could be refused now.
      hold.shrink(bytes)
      if (giveBack) hold.lend(giveBack)
      return hold
    },
    takeTurn: (giveBack) => holdings.add('answer', turns.take({ party, amount: 1, waitMs, signal, giveBack })),
    takeReader: (giveBack) => holdings.add('answer', readers.take({ party, amount: 1, waitMs, signal, giveBack })),
    keepValues() {
      while (holdings.keep(() => true));
      large = undefined
    },
    release() {
      patienceMs = PATIENCE * waitMs
      large = undefined
      spare = 0
      holdings.release()
    },
    end: holdings.end,
  }
}

function taken(hold: Hold | undefined): Hold {
  if (!hold) throw full()
  return hold
}
