import { CONNECTIONS, connect, type ConnectionLimits, type Pool } from './client.ts'
import { poolOf } from './lazy-pool.ts'
import { carryOut, createTurns, leaveAll, placesOf, stuckMs } from './turns.ts'

/** For whom statements are. */
export type Caller = {
  /** On whose account: a tenant, or what stands for several. */
  party: string
  /** Aborted when nobody waits for the answer any more. */
  signal?: AbortSignal | undefined
}

/** Connections that several parties share. */
export type FairPool = {
  /**
   * The pool as one caller may use it: for statements and transactions that are awaited.
   *
   * Who is alone may have all connections. While another party waits, nobody holds more than half of them: what is more is cancelled, a statement is
   * carried out later, and a transaction is refused with `unavailable`. What is given up, or takes too long, is cancelled in the database.
   */
  of: (caller: Caller) => Pool
  /** Connections that are in use. */
  held: () => number
  /** For how many milliseconds all connections have been held, and nothing was carried out on any of them. */
  stuckMs: () => number
  /** Waits so many seconds for what is under way, cancels the rest, and closes all connections. */
  end: (options?: { timeout?: number }) => Promise<void>
}

export type FairPoolOptions = {
  /** Connections; twice the cores unless told. */
  max?: number
  /** Milliseconds that a statement may take; it is cancelled by the database, and if that was not told so, by this process. */
  statementMs: number
  /** What connections are told; shared by pools of one database, of which each lives for one request only. */
  limits?: { current: ConnectionLimits }
  /** Told when the server, or a pooler before it, takes none of some limits with a connection. */
  onRefused?: (limits: string[]) => void
}

/** How often the server looks whether who asked is still there: a process that was killed leaves no statement behind. */
const CHECK_INTERVAL_MS = 2000

/** What connections are told so that a statement takes no longer, until it turns out that they cannot be told so. */
export const limitsOf = (statementMs: number): { current: ConnectionLimits } => ({
  current: {
    statement_timeout: statementMs,
    idle_in_transaction_session_timeout: statementMs,
    client_connection_check_interval: CHECK_INTERVAL_MS,
  },
})

export function openFairPool(url: string, options: FairPoolOptions): FairPool {
  const { max = CONNECTIONS, statementMs, limits = limitsOf(statementMs), onRefused } = options
  const turns = createTurns({ url, max, statementMs, limits, onRefused })
  // Makes statements, and never connects: what they are carried out on is known later.
  const template = connect(url, { max: 1 })
  return {
    of(caller) {
      const place = placesOf(turns, caller)
      return poolOf(template, (work, isStatement) => carryOut(turns, { ...caller, work, isStatement, ticket: place() }))
    },
    held: () => turns.connections.used(),
    stuckMs: () => stuckMs(turns),
    async end({ timeout = 0 } = {}) {
      await leaveAll(turns, 1000 * timeout)
      await template.end()
    },
  }
}
