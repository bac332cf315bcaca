/** PostgreSQL's own words for "not now": it shuts down, starts up, or has no connection left. 58000 is Hyperdrive's, when it has none. */
const UNAVAILABLE = /^(ECONN|EPIPE|ENOTFOUND|ETIMEDOUT|CONNECT|CONNECTION_|57P0|53300|58000|08)/

/** What workerd says of a socket; its errors have no codes. */
const SOCKET_LOST = /^(connection attempt failed|proxy request failed|network connection lost)/i

/** True where the database did not answer, or not yet: what it was asked to do may have been done. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return 'code' in error ? UNAVAILABLE.test(String(error.code)) : SOCKET_LOST.test(error.message)
}
