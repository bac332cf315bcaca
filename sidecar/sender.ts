import type { Log } from '#shared/log.ts'
import type { Outline } from './event.ts'
import type { Posted } from './post-event.ts'

/** An event that the hub has not answered yet. `file`: its name in the spool. `isReason`: it stands in for a result that was not taken. */
export type Waiting = Outline & { text: string; isUnderWay: boolean; file?: string; isReason?: boolean }

type Answered = Exclude<Posted, { outcome: 'unanswered' }>

type Settings = {
  /** Sent from its beginning, one at a time; `settle` takes an event out. */
  waiting: readonly Waiting[]
  post: (text: string) => Promise<Posted>
  settle: (event: Waiting, answer: Answered) => Promise<void>
  /** First and longest pause between two tries. */
  retryMs: readonly [first: number, longest: number]
  log: Log
  /** From 0 to 1. */
  random: () => number
}

/** Sends what waits until nothing does. */
export type Sender = {
  start: () => void
  /** Ends the pause before the next try. */
  hurry: () => void
  /** Resolves when nothing waits, or after a stop. */
  done: () => Promise<void>
  /** Sends nothing more. */
  stop: () => void
}

/** Sends events in their order, each until it is answered. */
export function createSender({ waiting, post, settle, retryMs, log, random }: Settings): Sender {
  let sending: Promise<void> | undefined
  let endPause = () => {}
  const state = { isStopped: false }

  const pause = async (ms: number) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    endPause = resolve
    const timer = setTimeout(resolve, ms)
    await promise
    clearTimeout(timer)
  }
  const send = async () => {
    for (let tries = 0; !state.isStopped;) {
      const [event] = waiting
      if (!event) return
      event.isUnderWay = true
      const posted = await post(event.text)
      if (posted.outcome !== 'unanswered') {
        tries = 0
        await settle(event, posted)
        continue
      }
      event.isUnderWay = false
      if (tries++ % 10 === 0) log.info(`An event did not reach the hub and is sent again: ${posted.why}`, { waiting: waiting.length })
      await pause(pauseMs(tries, retryMs, random()))
    }
  }
  return {
    start() {
      sending ??= send().finally(() => (sending = undefined))
    },
    hurry: () => endPause(),
    done: async () => sending,
    stop() {
      state.isStopped = true
      endPause()
    },
  }
}

/** Doubles with every try, and differs between sidecars, so that a hub that comes back is not asked by all at once. */
const pauseMs = (tries: number, [first, longest]: readonly [number, number], random: number) =>
  Math.min(longest, first * 2 ** Math.min(tries - 1, 20)) * (0.5 + random / 2)
