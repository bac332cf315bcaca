export type IdleLimit = {
  /** Ends when the parent does, or when it was idle for too long. */
  signal: AbortSignal
  isOver(): boolean
  /** Something came. */
  touch(): void
  /** Gives up the timer. */
  end(): void
}

/** A signal that ends when `parent` does, or when nobody has touched it for `idleMs`. */
export function limitIdle(parent: AbortSignal, idleMs: number): IdleLimit {
  const own = new AbortController()
  let isOver = false
  const abort = () => own.abort()
  const timer = setTimeout(() => {
    isOver = true
    abort()
  }, idleMs)
  if (parent.aborted) abort()
  parent.addEventListener('abort', abort, { once: true })
  return {
    signal: own.signal,
    isOver: () => isOver,
    touch: () => void timer.refresh(),
    end: () => {
      clearTimeout(timer)
      parent.removeEventListener('abort', abort)
    },
  }
}
