import postgres from 'postgres'

export type ObserverLock = {
  /** True if this process holds it. If not, asks for it once, without waiting. */
  isHeld(): Promise<boolean>
  release(): Promise<void>
}

/**
 * The lock that makes one of several bridges the one that observes. It belongs to a connection of its own, so it is free as soon as its
 * holder's process is dead. Needs a direct connection: through a pooler it would belong to whoever gets the connection next.
 *
 * It is asked for again and again and never waited for: a statement that waits would keep the database from cleaning up.
 */
export function openObserverLock(url: string): ObserverLock {
  let isHeld = false
  const sql = postgres(url, {
    max: 1,
    max_lifetime: null,
    idle_timeout: undefined,
    fetch_types: false,
    onnotice: () => {},
    connect_timeout: 5,
    connection: { application_name: 'evalhub observer' },
    onclose: () => {
      isHeld = false
    },
  })
  return {
    async isHeld() {
      if (isHeld) return true
      const [row] = await sql<{ got: boolean }[]>`select pg_try_advisory_lock(hashtextextended('evalhub observer', 0)) as got`
      isHeld = row?.got ?? false
      return isHeld
    },
    async release() {
      isHeld = false
      await sql.end({ timeout: 1 })
    },
  }
}
