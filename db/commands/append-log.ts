import type { Db } from '../client.ts'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'

export type LogChunk = AttemptKey & {
  /** `adapter`, `sidecar`, `init` and `events` of a pod; `local` on a laptop. */
  container: string
  /** From 0, without gaps. */
  seq: number
  /** gzip. */
  chunk: Uint8Array
  /** Length before compression. */
  bytes: number
  /** Bytes of the log before it, whether they are kept or not: more than the piece before it ends at says that some are missing. */
  startByte: number
  /** Bounds of the time in which the lines were written, in milliseconds since 1970. */
  firstAtMs: number
  lastAtMs: number
  /**
   * gzip: the time of each line that begins in the chunk, RFC 3339 in UTC with nine digits, one a line; an empty one for a line of the
   * bridge's own, which was written between its neighbours. Absent where only the bounds are known.
   */
  times?: Uint8Array
  /** What is kept no more once this piece is: those from this `seq` on, before its own, up to the first that begins at this byte or beyond. */
  cut?: LogCut
}

export type LogCut = { seq: number; byte: number }

/**
 * Adds a piece to a run's log, takes away those that make room for it, and keeps count of what is kept of the job, all at once. Repeating one whose
 * answer was lost replaces it, also by a longer one. Takes time by what is added and taken away, however long the log is, if `cut.seq` is the last
 * answer: the `seq` of the first piece that is not taken away.
 */
export async function appendLog(db: Db, log: LogChunk): Promise<number> {
  const { seq: fromSeq, byte } = log.cut ?? { seq: log.seq, byte: 0 }
  const ofLog = db`evaluation_id = ${log.evaluationId} and benchmark_index = ${log.benchmarkIndex} and attempt = ${log.attempt} and container = ${log.container}`
  const [row] = await db<{ seq: number }[]>`
    with before as (
      select ${keptBytes(db)} as kept from evalhub.run_logs where ${ofLog} and seq = ${log.seq}
    ), appended as (
      insert into evalhub.run_logs (evaluation_id, benchmark_index, attempt, container, seq, chunk, bytes, start_byte, first_at, last_at, times)
      values (${log.evaluationId}, ${log.benchmarkIndex}, ${log.attempt}, ${log.container}, ${log.seq}, ${log.chunk}, ${log.bytes}, ${log.startByte},
        to_timestamp(${log.firstAtMs}::float8 / 1000), to_timestamp(${log.lastAtMs}::float8 / 1000), ${log.times ?? null})
      on conflict (evaluation_id, benchmark_index, attempt, container, seq) do update
      set chunk = excluded.chunk, bytes = excluded.bytes, start_byte = excluded.start_byte, first_at = excluded.first_at,
        last_at = excluded.last_at, times = excluded.times
      returning ${keptBytes(db)} as kept
    ), first_left as (
      select coalesce((
        select seq from evalhub.run_logs where ${ofLog} and seq >= ${fromSeq} and seq < ${log.seq} and start_byte >= ${byte} order by seq limit 1
      ), ${log.seq}::int) as seq
    ), gone as (
      delete from evalhub.run_logs where ${ofLog} and seq >= ${fromSeq} and seq < (select seq from first_left)
      returning ${keptBytes(db)} as kept
    )
    update evalhub.evaluations
    set stored_bytes = stored_bytes + (select kept from appended)
      - coalesce((select kept from before), 0) - coalesce((select sum(kept) from gone), 0)
    where id = ${log.evaluationId}
    returning (select seq from first_left) as seq`
  return row?.seq ?? fromSeq
}

/** What a piece of a log takes. */
export const keptBytes = (db: Db) => db`octet_length(chunk) + coalesce(octet_length(times), 0)`
