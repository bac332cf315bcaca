import type { Db } from '../client.ts'

export type LogChunk = {
  evaluationId: string
  benchmarkIndex: number
  attempt: number
  /** `adapter` in a pod, `local` on a laptop. */
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
}

/** Adds a piece to a run's log. Repeating one whose answer was lost replaces it, also by a longer one. */
export async function appendLog(db: Db, log: LogChunk): Promise<void> {
  await db`
    insert into evalhub.run_logs (evaluation_id, benchmark_index, attempt, container, seq, chunk, bytes, first_at, last_at)
    values (${log.evaluationId}, ${log.benchmarkIndex}, ${log.attempt}, ${log.container}, ${log.seq}, ${log.chunk}, ${log.bytes},
      to_timestamp(${log.firstAtMs}::float8 / 1000), to_timestamp(${log.lastAtMs}::float8 / 1000))
    on conflict (evaluation_id, benchmark_index, attempt, container, seq) do update
    set chunk = excluded.chunk, bytes = excluded.bytes, first_at = excluded.first_at, last_at = excluded.last_at`
}
