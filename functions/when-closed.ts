import type { Context } from 'hono'
import type { AppEnv } from './env.ts'

/** Tells once the answer was sent or its reader is gone, where the runtime says so. A stream that nobody begins to read is never cancelled. */
export function whenClosed(c: Context<AppEnv>, tell: () => void): void {
  const outgoing = c.env?.outgoing
  if (outgoing?.destroyed) tell()
  else outgoing?.once('close', tell)
}

/** How an answer gives back what it holds while it is sent: it is cut off. Undefined where the runtime cannot do that. */
export function cutOff(c: Context<AppEnv>): (() => boolean) | undefined {
  const { outgoing } = c.env ?? {}
  return (
    outgoing &&
    (() => {
      outgoing.destroy()
      return true
    })
  )
}
