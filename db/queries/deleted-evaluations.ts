import type { Db } from '../client.ts'

/** Ids of up to `limit` hard-deleted jobs whose runs are all settled: nothing but their rows and files is left of them. */
export async function listPurgeableEvaluations(db: Db, limit: number): Promise<string[]> {
  const rows = await db<{ id: string }[]>`
    select id from evalhub.evaluations
    where deleted_at is not null and not exists (select from evalhub.runs where evaluation_id = evaluations.id and settled_at is null)
    order by deleted_at limit ${limit}`
  return rows.map((row) => row.id)
}
