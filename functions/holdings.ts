import { HubError } from '#shared/errors.ts'
import type { Hold } from '#shared/fair-budget.ts'

/** What a request holds: for its body, for the values that it works with, or for its answer until that has been sent. */
export type Holdings = {
  /** Keeps a hold, also one that is granted later. When all has ended it is given back at once, and refused with `unavailable`. */
  add: <Granted extends Hold | Promise<Hold>>(kind: Kind, hold: Granted) => Granted
  /** The first of the values that is wanted is for the answer from here on. */
  keep: (isWanted: (hold: Hold) => boolean) => Hold | undefined
  /** Whether it is one of the values, and not the answer's. */
  isOfWork: (hold: Hold) => boolean
  isEnded: () => boolean
  /** Gives back what is not for the answer. What is added from here on is. */
  release: () => void
  /** Gives back the rest, and whatever is added from here on. */
  end: () => void
}

type Kind = 'body' | 'value' | 'answer'

const left = () => HubError.of('unavailable', { Error: 'nobody takes its answer.' })

export function createHoldings(): Holdings {
  const holds = { body: new Set<Hold>(), value: new Set<Hold>(), answer: new Set<Hold>() }
  let [isWorking, isEnded] = [true, false]
  function own(kind: Kind, hold: Hold): Hold {
    if (isEnded) {
      hold.release()
      throw left()
    }
    if (isWorking) holds[kind].add(hold)
    else keepForAnswer(hold)
    return hold
  }
  function keepForAnswer(hold: Hold) {
    // A long answer has many, one after the other.
    for (const one of holds.answer) if (one.amount === 0) holds.answer.delete(one)
    holds.answer.add(hold)
  }
  const releaseAll = (kind: Kind) => {
    for (const hold of holds[kind]) hold.release()
    holds[kind].clear()
  }
  return {
    // What comes back is what was given, now or later.
    add: (kind, hold) => (hold instanceof Promise ? hold.then((one) => own(kind, one)) : own(kind, hold)) as typeof hold,
    keep(isWanted) {
      const hold = [...holds.value].find(isWanted)
      if (hold && holds.value.delete(hold)) keepForAnswer(hold)
      return hold
    },
    isOfWork: (hold) => holds.value.has(hold),
    isEnded: () => isEnded,
    release() {
      isWorking = false
      releaseAll('body')
      releaseAll('value')
    },
    end() {
      isEnded = true
      releaseAll('answer')
    },
  }
}
