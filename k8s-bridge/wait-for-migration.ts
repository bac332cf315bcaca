import { setTimeout as delay } from 'node:timers/promises'
import type { Pool } from '#db/client.ts'
import { checkMigrated } from '#db/queries/readiness.ts'
import { isUnavailable } from '#db/unavailable.ts'
import { HubError } from '#shared/errors.ts'

type Options = {
  /** Told once, of the first refusal: what is missing, and who puts it there. */
  onWaiting: (why: string) => void
  /** Between two looks; 1000 unless told. */
  intervalMs?: number
  /** Ends the waiting. */
  signal: AbortSignal
}

/**
 * Waits until the database has all migrations of this release, so that a process that comes before its migration goes on by itself. False if `signal`
 * was aborted before.
 *
 * Rejects if the database cannot be asked at all; once it waits, it bears that too: a server may be restarted for an update.
 */
export async function waitForMigration(db: Pool, { onWaiting, intervalMs = 1000, signal }: Options): Promise<boolean> {
  let isWaiting = false
  while (!signal.aborted) {
    try {
      await checkMigrated(db)
      return !signal.aborted
    } catch (error) {
      if (signal.aborted) return false
      if (error instanceof HubError) {
        if (!isWaiting) onWaiting(error.message)
        isWaiting = true
      } else if (!isWaiting || !isUnavailable(error)) throw error
    }
    await delay(intervalMs, undefined, { signal }).catch(() => undefined)
  }
  return false
}
