import type { Context } from 'hono'
import type { AppEnv } from './env.ts'

/** Tells once the answer was sent or its reader is gone, where the runtime says so. A stream that nobody begins to read is never cancelled. */
export function whenClosed(c: Context<AppEnv>, tell: () => void): void {
  const outgoing = c.env?.outgoing
  if (outgoing?.destroyed) tell()
  else outgoing?.once('close', tell)
}
