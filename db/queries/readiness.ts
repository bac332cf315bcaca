import type { Db } from '../client.ts'

/** Resolves if the database answers and was migrated. Rejects with what is wrong. */
export async function checkMigrated(db: Db): Promise<void> {
  const rows = await db`select from evalhub.migrations limit 1`
  if (rows.length === 0) throw new Error('the database has no tables yet')
}
