import type { Db } from '../client.ts'
import { NOTHING_KEPT, positionColumns, type LogPosition } from './log-position.ts'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'

/** Where the log of a container ends. */
export type LogEnd = LogPosition & {
  /** What was written last, in order: `chunk` and `times` as `appendLog` had them. */
  pieces: { chunk: Uint8Array; times: Uint8Array | null }[]
  /** True: what was written before these is not kept, though it may be as young as they are. */
  isCut: boolean
}

export type LogEndWish = { withinSeconds: number; headBytes: number }

/** How far the log of a container has been kept, with the pieces that have lines of its last `withinSeconds`, and between which nothing is missing. */
export async function findLogEnd(
  db: Db,
  { evaluationId, benchmarkIndex, attempt }: AttemptKey,
  container: string,
  { withinSeconds, headBytes }: LogEndWish,
): Promise<LogEnd> {
  const ofLog = db`evaluation_id = ${evaluationId} and benchmark_index = ${benchmarkIndex} and attempt = ${attempt} and container = ${container}`
  const rows = await db<(LogPosition & { chunk: Uint8Array; times: Uint8Array | null; isCut: boolean })[]>`
    with log as (
      select seq, last_at, max(last_at) over () as end_at, seq <> lag(seq) over (order by seq) + 1 as is_cut
      from evalhub.run_logs where ${ofLog}
    ), wanted as (
      select seq, is_cut from log
      where last_at >= end_at - make_interval(secs => ${withinSeconds}::float8)
        and seq >= coalesce((select max(seq) from log where is_cut), 0)
    )
    select chunk, times, position.*, coalesce(bool_or(is_cut) over (), false) as "isCut"
    from wanted join evalhub.run_logs as piece on piece.seq = wanted.seq and ${ofLog},
      (select ${positionColumns(db, headBytes)} from evalhub.run_logs where ${ofLog}) as position
    order by piece.seq`
  const [first] = rows
  if (!first) return { ...NOTHING_KEPT, pieces: [], isCut: false }
  const { bytes, seq, headEnd, tailSeq, isCut } = first
  return { bytes, seq, headEnd, tailSeq, isCut, pieces: rows.map(({ chunk, times }) => ({ chunk, times })) }
}
