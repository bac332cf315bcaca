import type { Db } from '#db/client.ts'
import { removeExpiredKeys } from '#db/commands/claim-key.ts'
import { expireEvaluations, expireLogs } from '#db/commands/expire.ts'

/** Days that things are kept after their end; 0 means for ever. */
export type Retention = { logDays: number; evaluationDays: number }

export const DEFAULT_RETENTION: Retention = { logDays: 90, evaluationDays: 0 }

/** Removed by one statement, and statements of one call: what is left is taken by the next one. */
const batchSize = 500
const batchesMax = 20

/** Removes what is older than it is to be kept, and idempotency keys that are over a day old. Any number of bridges may do so at once. */
export async function retain(db: Db, { logDays, evaluationDays }: Retention): Promise<void> {
  await removeExpiredKeys(db)
  if (logDays > 0) await inBatches(() => expireLogs(db, logDays, batchSize))
  if (evaluationDays > 0) await inBatches(() => expireEvaluations(db, evaluationDays, batchSize))
}

async function inBatches(removeBatch: () => Promise<number>): Promise<void> {
  for (let batch = 0; batch < batchesMax; batch++) {
    if ((await removeBatch()) < batchSize) return
  }
}
