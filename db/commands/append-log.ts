import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import type { Db } from '../client.ts'

export type LogChunk = AttemptKey & {
  /** `adapter`, `sidecar`, `init` and `events` of a pod; `local` on a laptop. */
  container: string
  /** From 0, without gaps. */
  seq: number
  /** gzip. */
  chunk: Uint8Array
  /** Length before compression. */
  bytes: number
  /** Bounds of the time in which the lines were written, in milliseconds since 1970. */
  firstAtMs: number
  lastAtMs: number
  /**
   * gzip: the time of each line that begins in the chunk, RFC 3339 in UTC with nine digits, one a line; an empty one for a line of the
   * bridge's own, which was written between its neighbours. Absent where only the bounds are known.
   */
  times?: Uint8Array
}

/** Adds a piece to a run's log, and its bytes to what is kept of the job. Repeating one whose answer was lost replaces it, also by a longer one. */
export async function appendLog(db: Db, log: LogChunk): Promise<void> {
  await db`
    with before as (
      select ${keptBytes(db)} as kept from evalhub.run_logs
      where evaluation_id = ${log.evaluationId} and benchmark_index = ${log.benchmarkIndex} and attempt = ${log.attempt}
        and container = ${log.container} and seq = ${log.seq}
    ), appended as (
      insert into evalhub.run_logs (evaluation_id, benchmark_index, attempt, container, seq, chunk, bytes, first_at, last_at, times)
      values (${log.evaluationId}, ${log.benchmarkIndex}, ${log.attempt}, ${log.container}, ${log.seq}, ${log.chunk}, ${log.bytes},
        to_timestamp(${log.firstAtMs}::float8 / 1000), to_timestamp(${log.lastAtMs}::float8 / 1000), ${log.times ?? null})
      on conflict (evaluation_id, benchmark_index, attempt, container, seq) do update
      set chunk = excluded.chunk, bytes = excluded.bytes, first_at = excluded.first_at, last_at = excluded.last_at, times = excluded.times
      returning ${keptBytes(db)} as kept
    )
    update evalhub.evaluations
    set stored_bytes = stored_bytes + (select kept from appended) - coalesce((select kept from before), 0)
    where id = ${log.evaluationId}`
}

/** What a piece of a log takes. */
export const keptBytes = (db: Db) => db`octet_length(chunk) + coalesce(octet_length(times), 0)`
