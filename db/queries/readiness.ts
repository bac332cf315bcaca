import { HubError } from '#shared/errors.ts'
import type { Db } from '../client.ts'
import type { FairPool } from '../fair-pool.ts'

/** Resolves if the database answers and was migrated. Rejects with what is wrong. */
export async function checkMigrated(db: Db): Promise<void> {
  const rows = await db`select from evalhub.migrations limit 1`
  if (rows.length === 0) throw new Error('the database has no tables yet')
}

/** Slow statements alone are no reason to look further. */
const STUCK_MS = 10_000

/** Below that of probes. */
const ASKED_MS = 1500

/**
 * Resolves if somebody who came now would be served. Refuses with `unavailable` if all connections have been held for 10 seconds, nothing was carried
 * out on any of them, and nothing is for a tenant that has none of them, either.
 */
export async function checkServed(pool: Pick<FairPool, 'of' | 'stuckMs'>): Promise<void> {
  const stuckMs = pool.stuckMs()
  if (stuckMs < STUCK_MS) return
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), ASKED_MS)
  try {
    await pool.of({ party: 'readiness', signal: late.signal })`select from evalhub.evaluations limit 1`
  } catch (cause) {
    const seconds = Math.round(stuckMs / 1000)
    throw HubError.of(
      'unavailable',
      { Error: `all its connections to the database are held, and nothing was carried out on any of them for ${seconds} s.` },
      cause,
    )
  } finally {
    clearTimeout(timer)
  }
}
