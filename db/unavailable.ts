/** PostgreSQL's own words for "not now": it shuts down, starts up, or has no connection left. 58000 is Hyperdrive's, when it has none. */
const UNAVAILABLE = /^(ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|CONNECT|CONNECTION_|57P0|53300|58000|08)/

/** Its words for what it ended because it took too long: a statement, the wait for a lock, a transaction that does nothing. */
const TOO_SLOW = /^(57014|55P03|25P03)$/

/** What workerd says of a socket; its errors have no codes. */
const SOCKET_LOST = /^(connection attempt failed|proxy request failed|network connection lost)/i

/** True where the database did not answer, or not yet: what it was asked to do may have been done. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return isTooSlow(error) || ('code' in error ? UNAVAILABLE.test(String(error.code)) : SOCKET_LOST.test(error.message))
}

/** True where the database answered that it was given no more time: what it was asked to do has not been done. */
export const isTooSlow = (error: unknown): boolean => error instanceof Error && 'code' in error && TOO_SLOW.test(String(error.code))
