import type { Db } from '../client.ts'
import { json } from '../json.ts'

/** Removes deleted jobs with all that belongs to them. One that is not deleted, or has an unsettled run, stays. */
export async function purgeEvaluations(db: Db, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await db`
    delete from evalhub.evaluations using jsonb_array_elements_text(${json(db, ids)}) as given (id)
    where evaluations.id = given.id::uuid and deleted_at is not null
      and not exists (select from evalhub.runs where evaluation_id = evaluations.id and settled_at is null)`
}
