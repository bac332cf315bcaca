import type { Db } from '../client.ts'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'

export type LogPosition = {
  /** Bytes of the log that are kept. */
  bytes: number
  /** Number of the next piece. */
  seq: number
}

/** How far an attempt's log has been kept. */
export async function findLogPosition(
  db: Db,
  { evaluationId, benchmarkIndex, attempt }: AttemptKey,
  container: string,
): Promise<LogPosition> {
  const [position] = await db<LogPosition[]>`
    select coalesce(sum(bytes), 0)::float8 as bytes, coalesce(max(seq) + 1, 0) as seq from evalhub.run_logs
    where evaluation_id = ${evaluationId} and benchmark_index = ${benchmarkIndex} and attempt = ${attempt} and container = ${container}`
  return position ?? { bytes: 0, seq: 0 }
}
