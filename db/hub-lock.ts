import postgres from 'postgres'

export type HubLock = { release(): Promise<void> }

/** The server notices within moments that a killed process is gone. */
const waitMs = 1000

/**
 * Keeps every other hub off this database for as long as this process lives; after its death, `kill -9` included, the
 * database frees the lock by itself. Throws if another hub holds it.
 *
 * The lock lives with one connection, which is opened here and used for nothing else. `onLost` is called, once, if that
 * connection ends before `release`: from then on another hub may start, so this one must stop.
 * Needs a direct connection: through a pooler the lock would belong to whoever gets the connection next.
 */
export async function lockHub(url: string, onLost: () => void): Promise<HubLock> {
  let isHeld = false
  const sql = postgres(url, {
    max: 1,
    max_lifetime: null,
    fetch_types: false,
    onnotice: () => {},
    connection: { application_name: 'evalhub lock', lock_timeout: waitMs },
    onclose: () => {
      if (isHeld) onLost()
      isHeld = false
    },
  })
  try {
    await sql`select pg_advisory_lock(hashtextextended('evalhub hub', 0))`
    isHeld = true
  } catch (error) {
    await sql.end()
    if (!isTimeout(error)) throw error
    throw new Error('Another hub is running on this database: stop it, or choose another --data-dir or DATABASE_URL', { cause: error })
  }
  return {
    async release() {
      isHeld = false
      await sql.end()
    },
  }
}

const isTimeout = (error: unknown) => error instanceof postgres.PostgresError && error.code === '55P03'
