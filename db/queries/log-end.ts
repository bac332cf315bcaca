import type { Db } from '../client.ts'
import type { LogPosition } from './log-position.ts'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'

/** Where the log of a container ends. */
export type LogEnd = LogPosition & {
  /** What was written last, in order: `chunk` and `times` as `appendLog` had them. */
  pieces: { chunk: Uint8Array; times: Uint8Array | null }[]
}

/** How far the log of a container has been kept, with the pieces that have lines of its last `withinSeconds`. */
export async function findLogEnd(
  db: Db,
  { evaluationId, benchmarkIndex, attempt }: AttemptKey,
  container: string,
  withinSeconds: number,
): Promise<LogEnd> {
  const rows = await db<{ chunk: Uint8Array; times: Uint8Array | null; bytes: number; next_seq: number }[]>`
    with log as (
      select seq, last_at, sum(bytes) over ()::float8 as bytes, max(seq) over () + 1 as next_seq, max(last_at) over () as end_at
      from evalhub.run_logs
      where evaluation_id = ${evaluationId} and benchmark_index = ${benchmarkIndex} and attempt = ${attempt} and container = ${container}
    )
    select chunk, times, log.bytes, next_seq from log join evalhub.run_logs as piece on piece.seq = log.seq
      and evaluation_id = ${evaluationId} and benchmark_index = ${benchmarkIndex} and attempt = ${attempt} and container = ${container}
    where log.last_at >= end_at - make_interval(secs => ${withinSeconds}::float8)
    order by piece.seq`
  const [first] = rows
  return { bytes: first?.bytes ?? 0, seq: first?.next_seq ?? 0, pieces: rows.map(({ chunk, times }) => ({ chunk, times })) }
}
