import type { Db } from '../client.ts'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'

export type LogPosition = {
  /** Bytes of the log so far, whether they are kept or not. */
  bytes: number
  /** Number of the next piece. */
  seq: number
  /** Where the pieces end that begin in the first `headBytes` of the log. */
  headEnd: number
  /** Number of the first that is kept of those beyond; null while there is none. */
  tailSeq: number | null
}

/** How far an attempt's log has been kept. */
export async function findLogPosition(
  db: Db,
  { evaluationId, benchmarkIndex, attempt }: AttemptKey,
  container: string,
  headBytes: number,
): Promise<LogPosition> {
  const [position] = await db<LogPosition[]>`
    select ${positionColumns(db, headBytes)} from evalhub.run_logs
    where evaluation_id = ${evaluationId} and benchmark_index = ${benchmarkIndex} and attempt = ${attempt} and container = ${container}`
  return position ?? NOTHING_KEPT
}

export const NOTHING_KEPT: LogPosition = { bytes: 0, seq: 0, headEnd: 0, tailSeq: null }

/** Of all pieces of a log. Those of an earlier release, which begin its log and are all kept, do not say where they begin. */
export const positionColumns = (db: Db, headBytes: number) => db`
  greatest(sum(bytes), max(start_byte + bytes), 0)::float8 as bytes,
  coalesce(max(seq) + 1, 0) as seq,
  greatest(sum(bytes) filter (where start_byte is null), max(start_byte + bytes) filter (where start_byte < ${headBytes}), 0)::float8 as "headEnd",
  min(seq) filter (where start_byte >= ${headBytes}) as "tailSeq"`
