import { isUnavailable } from './unavailable.ts'

/** PostgreSQL's own words for who may not come in, and for a database that is not there. */
const REFUSED = /^(28\d{3}|3D000|42501)$/

/**
 * Why the database cannot be used, in one line that names the setting and the place, and no user's password; undefined for an error that is not about
 * reaching it. `setting` is what its URL was read from.
 */
export function databaseComplaint(error: unknown, { url, setting }: { url: string; setting: string }): string | undefined {
  if (!(error instanceof Error)) return undefined
  const code = 'code' in error ? String(error.code) : ''
  const isRefused = REFUSED.test(code)
  if (!isRefused && !isUnavailable(error)) return undefined
  const { hostname, port, pathname } = new URL(url)
  const place = `${hostname || 'localhost'}:${port || '5432'}${pathname}`
  // Where a name has several addresses, the error of all of them says nothing itself.
  const reason = (error.message || code).replace(/\s+/g, ' ')
  return `The database that ${setting} names, ${place}, ${isRefused ? 'lets nobody in like that' : 'does not answer'}: ${reason}`
}
