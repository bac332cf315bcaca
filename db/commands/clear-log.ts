import type { Db } from '../client.ts'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import { keptBytes } from './append-log.ts'

/** Removes what is kept of an attempt's log: of a launch that was not recorded, before the attempt is launched again. */
export async function clearLog(db: Db, { evaluationId, benchmarkIndex, attempt }: AttemptKey): Promise<void> {
  await db`
    with gone as (
      delete from evalhub.run_logs
      where evaluation_id = ${evaluationId} and benchmark_index = ${benchmarkIndex} and attempt = ${attempt}
      returning ${keptBytes(db)} as kept
    )
    update evalhub.evaluations set stored_bytes = stored_bytes - (select sum(kept) from gone)
    where id = ${evaluationId} and exists (select from gone)`
}
