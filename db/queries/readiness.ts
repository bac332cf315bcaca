import { HubError } from '#shared/errors.ts'
import type { Pool } from '../client.ts'
import type { FairPool } from '../fair-pool.ts'
import { MIGRATIONS } from '../migration-names.ts'

/**
 * Resolves if the database has all migrations of this release; more of them, of a release that comes after it, do no harm. Refuses with
 * `database_not_migrated`, which names what is missing. Rejects with what is wrong if the database does not answer.
 */
export async function checkMigrated(db: Pool): Promise<void> {
  const applied = await listApplied(db)
  const missing = MIGRATIONS.filter((name) => !applied.has(name))
  const [first, ...others] = missing
  if (first === undefined) return
  const what = `${missing.length} of the ${MIGRATIONS.length} migrations of this release: ${first}`
  throw HubError.of('database_not_migrated', { Missing: others.length === 0 ? what : `${what} to ${others.at(-1)}` })
}

async function listApplied(db: Pool): Promise<Set<string>> {
  try {
    const rows = await db<{ name: string }[]>`select name from evalhub.migrations`
    return new Set(rows.map(({ name }) => name))
  } catch (error) {
    if (isOfOtherSchema(error)) return new Set()
    throw error
  }
}

/** PostgreSQL's words for a schema, a table, a column, a function, a type or a constraint that is not there. */
const NOT_THERE = /^(3F000|42P01|42703|42883|42704|42P10)$/

/** True where a statement names what the database does not have: it was made for another schema. */
export const isOfOtherSchema = (error: unknown): boolean => error instanceof Error && 'code' in error && NOT_THERE.test(String(error.code))

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
