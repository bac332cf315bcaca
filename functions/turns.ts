/** What one request may do before others have a turn of the event loop, in milliseconds. */
const TURN_MS = 8

/** The next turn of the event loop: others are served before. */
export const nextTurn = (): Promise<void> => new Promise<void>((resolve) => setImmediate(resolve))

/** Turns of the event loop for the long work of one request, so that nobody else's waits for all of it. */
export type Turns = {
  /** To be asked between two pieces of work: ends the turn if it was long. */
  pause: () => Promise<void> | undefined
  /** Works on one thing after the other, in the order of asking, although all were asked for at once. */
  inOrder: <Value>(work: () => Value | Promise<Value>) => Promise<Value>
}

/** `now` in milliseconds. */
export function createTurns(now: () => number = () => performance.now()): Turns {
  let begunMs = now()
  let last: Promise<unknown> | undefined

  async function endTurn() {
    await nextTurn()
    begunMs = now()
  }
  const pause = () => (now() - begunMs < TURN_MS ? undefined : endTurn())
  return {
    pause,
    inOrder(work) {
      const mine = Promise.resolve(last).then(pause).then(work)
      last = mine.catch(() => undefined)
      return mine
    },
  }
}
