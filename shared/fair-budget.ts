import { isWithinHalf, nextOf, partyToYield } from './domain/fair-share.ts'

/** Part of a budget that is in use. */
export type Hold = {
  readonly amount: number
  /** Gives back all but `amount`, which is 0 at least. */
  shrink: (amount: number) => void
  /** Gives it back for good: it does not grow any more. Once more does nothing. */
  release: () => void
  /** From now on it can be asked back. */
  lend: (giveBack: GiveBack) => void
}

/**
 * Asks who holds something to give it back soon, because its party has more than half and another one has waited for some time. False if it
 * cannot: then another hold of the party is asked. `isOnly`: it is the only one that can be asked.
 */
export type GiveBack = (isOnly: boolean) => boolean

export type Ask = {
  /** On whose account. */
  party: string
  /** What is more than the whole budget is given the whole, so nothing is refused for ever. */
  amount: number
  /** Milliseconds after which it is refused. 0: at once. Absent: it waits until it is served, or given up. */
  waitMs?: number
  /** Given up: rejects with its reason. */
  signal?: AbortSignal | undefined
  /** Absent: what is held is never asked back. */
  giveBack?: GiveBack | undefined
}

/** A bound of what several parties hold of something together. */
export type FairBudget = {
  /** Waits until it is free and its turn, and rejects with the budget's refusal if that takes too long. What cannot wait is refused by throwing. */
  take: (ask: Ask) => Hold | Promise<Hold>
  /** Undefined if that is not free now, or others are to have it first. */
  takeNow: (party: string, amount: number, giveBack?: GiveBack) => Hold | undefined
  /** Whether it is free or not. */
  takeAnyway: (party: string, amount: number, giveBack?: GiveBack) => Hold
  /** Adds to what is held. False if that is not free, unless nobody else holds anything; and if it was released. */
  grow: (hold: Hold, amount: number) => boolean
  size: number
  used: () => number
  heldBy: (party: string) => number
  /** Whether somebody else than this party waits. */
  isAwaitedBesides: (party: string) => boolean
}

export type FairBudgetOptions = {
  size: number
  /** How long who has half at most waits for who has more, before that is asked to give back. */
  graceMs: number
  /** What is thrown at who is not served. */
  refusal: () => Error
  /** Asks that wait at once; more are refused. */
  maxWaiting?: number
}

type Waiting = { party: string; ticket: number; amount: number; giveBack: GiveBack | undefined; grant: (hold: Hold) => void }

/** Those who may be asked to give back, oldest first. */
type Lent = { hold: OwnHold; giveBack: GiveBack; isAsked: boolean }

type OwnHold = Hold & { party: string; amount: number; isReleased: boolean }

type State = Required<FairBudgetOptions> & {
  used: number
  tickets: number
  waitingCount: number
  held: Map<string, number>
  queues: Map<string, Waiting[]>
  /** Of those that hold something or wait: when they were served last. */
  servedAt: Map<string, number>
  lent: Set<Lent>
  askingBack: ReturnType<typeof setTimeout> | undefined
  /** Those who had to give back, and until when they are held to half. */
  restrained: Map<string, number>
}

/** Who had to give back has half at most, as long as others come before this time is over: what is given back again and again is work done for nothing. */
const RESTRAINT_MS = 2000

/**
 * A budget that is shared fairly: first come, first served among a party's own, and by `nextOf` among parties. Who is alone may have all of it,
 * gives back what is more than half when another one comes, and then keeps to half as long as others come.
 */
export function createFairBudget(options: FairBudgetOptions): FairBudget {
  const state: State = {
    maxWaiting: Infinity,
    ...options,
    used: 0,
    tickets: 0,
    waitingCount: 0,
    held: new Map(),
    queues: new Map(),
    servedAt: new Map(),
    lent: new Set(),
    askingBack: undefined,
    restrained: new Map(),
  }
  const { size, queues, held } = state
  function takeNow(party: string, wanted: number, giveBack?: GiveBack): Hold | undefined {
    const amount = Math.min(wanted, size)
    if (state.used + amount > size || isHeldBack(state, party, amount)) return undefined
    if (queues.has(party) || !firstsOf(state).next().done) return undefined
    return holdOf(state, party, amount, giveBack)
  }
  return {
    size,
    takeNow,
    takeAnyway: (party, amount, giveBack) => holdOf(state, party, amount, giveBack),
    take(ask) {
      const hold = takeNow(ask.party, ask.amount, ask.giveBack)
      if (hold) return hold
      if (ask.signal?.aborted) throw ask.signal.reason
      if (ask.waitMs === 0 || state.waitingCount >= state.maxWaiting) throw state.refusal()
      return wait(state, { ...ask, amount: Math.min(ask.amount, size) })
    },
    grow(hold, amount) {
      // Only this budget makes holds.
      const own = hold as OwnHold
      if (own.isReleased || (state.used + amount > size && state.used > hold.amount)) return false
      account(state, own.party, amount)
      own.amount += amount
      return true
    },
    used: () => state.used,
    heldBy: (party) => held.get(party) ?? 0,
    isAwaitedBesides: (party) => queues.size > (queues.has(party) ? 1 : 0),
  }
}

function account(state: State, party: string, amount: number): void {
  state.used += amount
  const sum = (state.held.get(party) ?? 0) + amount
  if (sum === 0) state.held.delete(party)
  else state.held.set(party, sum)
  forgetIdle(state, party)
}

/** Parties come and go. */
function forgetIdle({ held, queues, servedAt }: State, party: string): void {
  if (!held.has(party) && !queues.has(party)) servedAt.delete(party)
}

function holdOf(state: State, party: string, whole: number, giveBack?: GiveBack): OwnHold {
  account(state, party, whole)
  if (whole > 0) state.servedAt.set(party, ++state.tickets)
  for (const other of state.restrained.keys()) if (other !== party) state.restrained.set(other, performance.now() + RESTRAINT_MS)
  let entry: Lent | undefined
  const hold: OwnHold = {
    party,
    amount: whole,
    isReleased: false,
    shrink(to) {
      const rest = Math.max(to, 0)
      if (rest >= hold.amount) return
      account(state, party, rest - hold.amount)
      hold.amount = rest
      serve(state)
    },
    release() {
      if (entry) state.lent.delete(entry)
      hold.isReleased = true
      hold.shrink(0)
    },
    lend(back) {
      if (entry) state.lent.delete(entry)
      if (hold.isReleased) return
      state.lent.add((entry = { hold, giveBack: back, isAsked: false }))
    },
  }
  if (giveBack) hold.lend(giveBack)
  return hold
}

function* firstsOf(state: State) {
  for (const [party, [first]] of state.queues) {
    if (first && !isHeldBack(state, party, first.amount)) yield { ...first, servedAt: state.servedAt.get(party) ?? 0, waiting: first }
  }
}

const isHeldBack = ({ restrained, held, size }: State, party: string, amount: number) =>
  restrained.has(party) && !isWithinHalf(held.get(party) ?? 0, amount, size)

function restrain(state: State, party: string): void {
  const isNew = !state.restrained.has(party)
  state.restrained.set(party, performance.now() + RESTRAINT_MS)
  if (isNew) setTimeout(() => endRestraint(state, party), RESTRAINT_MS)
}

function endRestraint(state: State, party: string): void {
  const leftMs = (state.restrained.get(party) ?? 0) - performance.now()
  if (leftMs > 0) return void setTimeout(() => endRestraint(state, party), leftMs)
  state.restrained.delete(party)
  return serve(state)
}

function serve(state: State): void {
  if (state.waitingCount === 0) return
  const next = () => nextOf(firstsOf(state), state.held)
  for (let one = next(); one && state.used + one.amount <= state.size; one = next()) {
    remove(state, one.waiting)
    one.grant(holdOf(state, one.party, one.amount, one.giveBack))
  }
  lookForSurplus(state)
}

function remove(state: State, one: Waiting): void {
  const queue = state.queues.get(one.party) ?? []
  queue.splice(queue.indexOf(one), 1)
  if (queue.length === 0) state.queues.delete(one.party)
  state.waitingCount--
  forgetIdle(state, one.party)
}

/** What parties hold without what they have been asked for already. */
function heldAfterwards({ held, lent }: State): Map<string, number> {
  const rest = new Map(held)
  for (const { hold, isAsked } of lent) if (isAsked) rest.set(hold.party, (rest.get(hold.party) ?? 0) - hold.amount)
  return rest
}

function lookForSurplus(state: State): void {
  if (state.askingBack !== undefined || partyToYield(firstsOf(state), state.held, state.size) === undefined) return
  state.askingBack = setTimeout(() => {
    state.askingBack = undefined
    const party = partyToYield(firstsOf(state), heldAfterwards(state), state.size)
    // The newest first: it has cost least so far.
    const candidates = [...state.lent].filter(({ hold, isAsked }) => hold.party === party && !isAsked && hold.amount > 0).toReversed()
    const asked = candidates.find((one) => one.giveBack(candidates.length === 1))
    if (asked) {
      asked.isAsked = true
      restrain(state, asked.hold.party)
    }
    lookForSurplus(state)
  }, state.graceMs)
}

function wait(state: State, { party, amount, waitMs, signal, giveBack }: Ask): Promise<Hold> {
  const { promise, resolve, reject } = Promise.withResolvers<Hold>()
  const settle = () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', giveUp)
  }
  const leave = (reason: unknown) => {
    settle()
    remove(state, waiting)
    reject(reason)
    // It may have stood before some that fit.
    serve(state)
  }
  const giveUp = () => leave(signal?.reason)
  const timer = waitMs === undefined ? undefined : setTimeout(() => leave(state.refusal()), waitMs)
  const grant = (hold: Hold) => {
    settle()
    resolve(hold)
  }
  const waiting: Waiting = { party, amount, giveBack, ticket: ++state.tickets, grant }
  signal?.addEventListener('abort', giveUp)
  const queue = state.queues.get(party)
  if (queue) queue.push(waiting)
  else state.queues.set(party, [waiting])
  state.waitingCount++
  serve(state)
  return promise
}
