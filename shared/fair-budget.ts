import { nextOf, partyToYield } from './domain/fair-share.ts'

/** Part of a budget that is in use. */
export type Hold = {
  readonly amount: number
  /** Gives back all but `amount`. */
  shrink: (amount: number) => void
  /** Gives it back. Once more does nothing. */
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
  giveBack?: GiveBack
  /** True: who had it, and gave it back unused: before all others of its party. */
  isAgain?: boolean
}

/** A bound of what several parties hold of something together. */
export type FairBudget = {
  /** Waits until it is free and its turn, and rejects with the budget's refusal if that takes too long. */
  take: (ask: Ask) => Hold | Promise<Hold>
  /** Undefined if that is not free now. */
  takeNow: (party: string, amount: number, giveBack?: GiveBack) => Hold | undefined
  /** Whether it is free or not. */
  takeAnyway: (party: string, amount: number, giveBack?: GiveBack) => Hold
  /** Adds to what is held. False if that is not free, unless nobody else holds anything. */
  grow: (hold: Hold, amount: number) => boolean
  size: number
  used: () => number
  heldBy: (party: string) => number
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
type Lent = { party: string; hold: Hold; giveBack: GiveBack; isAsked: boolean }

/**
 * A budget that is shared fairly: first come, first served among a party's own, and by `nextOf` among parties. Who is alone may have all of it, and
 * gives back what is more than half when another one comes.
 */
export function createFairBudget({ size, graceMs, refusal, maxWaiting = Infinity }: FairBudgetOptions): FairBudget {
  let used = 0
  let tickets = 0
  let waitingCount = 0
  const held = new Map<string, number>()
  const queues = new Map<string, Waiting[]>()
  /** Of those that hold something or wait: when they were served last. */
  const servedAt = new Map<string, number>()
  const lent = new Set<Lent>()
  let askingBack: ReturnType<typeof setTimeout> | undefined

  function account(party: string, amount: number): void {
    used += amount
    const sum = (held.get(party) ?? 0) + amount
    if (sum !== 0) held.set(party, sum)
    else {
      held.delete(party)
      if (!queues.has(party)) servedAt.delete(party)
    }
  }

  function holdOf(party: string, whole: number, giveBack?: GiveBack): Hold & { party: string; amount: number } {
    account(party, whole)
    if (whole > 0) servedAt.set(party, ++tickets)
    let entry: Lent | undefined
    const hold = {
      party,
      amount: whole,
      shrink(to: number) {
        if (to >= hold.amount) return
        account(party, to - hold.amount)
        hold.amount = to
        serve()
      },
      release() {
        if (entry) lent.delete(entry)
        hold.shrink(0)
      },
      lend: (back: GiveBack) => void lent.add((entry = { party, hold, giveBack: back, isAsked: false })),
    }
    if (giveBack) hold.lend(giveBack)
    return hold
  }

  const firsts = function* () {
    for (const [party, [first]] of queues) if (first) yield { ...first, servedAt: servedAt.get(party) ?? 0, waiting: first }
  }

  function serve(): void {
    if (waitingCount === 0) return
    for (let next = nextOf(firsts(), held); next && used + next.amount <= size; next = nextOf(firsts(), held)) {
      remove(next.waiting)
      next.grant(holdOf(next.party, next.amount, next.giveBack))
    }
    lookForSurplus()
  }

  function remove(one: Waiting): void {
    const queue = queues.get(one.party) ?? []
    queue.splice(queue.indexOf(one), 1)
    if (queue.length === 0) queues.delete(one.party)
    if (queue.length === 0 && !held.has(one.party)) servedAt.delete(one.party)
    waitingCount--
  }

  /** What parties hold without what they have been asked for already. */
  function heldAfterwards(): Map<string, number> {
    const rest = new Map(held)
    for (const { party, hold, isAsked } of lent) if (isAsked) rest.set(party, (rest.get(party) ?? 0) - hold.amount)
    return rest
  }

  function lookForSurplus(): void {
    if (askingBack !== undefined || partyToYield(firsts(), held, size) === undefined) return
    askingBack = setTimeout(() => {
      askingBack = undefined
      const party = partyToYield(firsts(), heldAfterwards(), size)
      // The newest first: it has cost least so far.
      const candidates = [...lent].filter((one) => one.party === party && !one.isAsked && one.hold.amount > 0).toReversed()
      const asked = candidates.find((one) => one.giveBack(candidates.length === 1))
      if (asked) asked.isAsked = true
      lookForSurplus()
    }, graceMs)
  }

  function wait({ party, amount, waitMs, signal, giveBack, isAgain = false }: Ask): Promise<Hold> {
    const { promise, resolve, reject } = Promise.withResolvers<Hold>()
    const leave = (reason: unknown) => {
      settle()
      remove(waiting)
      reject(reason)
      // It may have stood before some that fit.
      serve()
    }
    const giveUp = () => leave(signal?.reason)
    const timer = waitMs === undefined ? undefined : setTimeout(() => leave(refusal()), waitMs)
    const settle = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
    }
    const grant = (hold: Hold) => {
      settle()
      resolve(hold)
    }
    const waiting: Waiting = { party, amount, giveBack, ticket: ++tickets, grant }
    signal?.addEventListener('abort', giveUp)
    const queue = queues.get(party) ?? []
    if (isAgain) queue.unshift(waiting)
    else queue.push(waiting)
    queues.set(party, queue)
    waitingCount++
    serve()
    return promise
  }

  function takeNow(party: string, wanted: number, giveBack?: GiveBack): Hold | undefined {
    const amount = Math.min(wanted, size)
    return waitingCount === 0 && used + amount <= size ? holdOf(party, amount, giveBack) : undefined
  }

  return {
    takeNow,
    takeAnyway: holdOf,
    take(ask) {
      const hold = takeNow(ask.party, ask.amount, ask.giveBack)
      if (hold) return hold
      if (ask.signal?.aborted) throw ask.signal.reason
      if (ask.waitMs === 0 || waitingCount >= maxWaiting) throw refusal()
      return wait({ ...ask, amount: Math.min(ask.amount, size) })
    },
    grow(hold, amount) {
      if (used + amount > size && used > hold.amount) return false
      // Only this budget makes holds.
      const own = hold as ReturnType<typeof holdOf>
      account(own.party, amount)
      own.amount += amount
      return true
    },
    size,
    used: () => used,
    heldBy: (party) => held.get(party) ?? 0,
  }
}
