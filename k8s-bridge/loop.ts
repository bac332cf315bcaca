export type Loop = {
  /** Asks for a pass now, or right after the one under way. */
  wake(): void
  /** Begins no further pass, and resolves when the one under way is over. */
  stop(): Promise<void>
}

type Options = {
  /** Longest time between two passes. */
  intervalMs: number
  /** Told what a pass threw. The next pass is the retry. */
  onError: (error: unknown) => void
}

/** Runs `pass` at once, after every `wake`, and at least every `intervalMs`; never two at a time. */
export function startLoop(pass: () => Promise<void>, { intervalMs, onError }: Options): Loop {
  let timer: NodeJS.Timeout | undefined
  let underWay: Promise<void> | undefined
  let isWanted = false
  let isStopped = false

  const run = async () => {
    isWanted = false
    await pass().catch(onError)
    underWay = undefined
    if (isStopped) return
    if (isWanted) wake()
    else timer = setTimeout(wake, intervalMs)
  }
  const wake = () => {
    isWanted = true
    if (isStopped || underWay) return
    clearTimeout(timer)
    underWay = run()
  }

  wake()
  return {
    wake,
    async stop() {
      isStopped = true
      clearTimeout(timer)
      await underWay
    },
  }
}
