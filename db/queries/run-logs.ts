import type { Db } from '../client.ts'
import { ofTenant, type Scope } from '../scope.ts'
import { isUuid } from './evaluations.ts'

/** A run whose log is asked for. */
export type LogOwner = {
  benchmark_index: number
  benchmark_id: string
  attempt: number
  /** `local` for a process, `adapter` for a pod. */
  container: 'local' | 'adapter'
}

/** The runs of a job, by index. Undefined if there is no such job for the caller. */
export async function listLogOwners(db: Db, scope: Scope, id: string): Promise<LogOwner[] | undefined> {
  if (!isUuid(id)) return undefined
  const [row] = await db<{ runs: LogOwner[] }[]>`
    select (
      select json_agg(
        json_build_object('benchmark_index', benchmark_index, 'benchmark_id', benchmark_id, 'attempt', attempt, 'container', coalesce((
          select container from evalhub.run_logs as log
          where log.evaluation_id = run.evaluation_id and log.benchmark_index = run.benchmark_index and log.attempt = run.attempt
            and container in ('local', 'adapter') limit 1
        ), (select case runtime when 'kubernetes' then 'adapter' else 'local' end from evalhub.hub))) order by benchmark_index
      ) from evalhub.runs as run where evaluation_id = evaluations.id
    ) as runs
    from evalhub.evaluations where id = ${id} and deleted_at is null ${ofTenant(db, scope)}`
  return row?.runs
}

export type LogPiece = {
  seq: number
  /** gzip. */
  chunk: Uint8Array
  /** RFC 3339: when the last of its lines was read. */
  last_at: string
  /** As `appendLog` had it: when each line was written that begins in the piece; null where that is not known. */
  times: Uint8Array | null
  /** RFC 3339: lines older than this are not wanted. Null: all are. */
  since: string | null
  /** As `appendLog` had it; null in a piece of an earlier release. */
  start_byte: number | null
  /** Bytes between what is kept before it and this piece; 0 if that is not known, or nothing is kept before it. */
  missing: number
}

/** Where to go on in a log, which way, and how old its pieces may be. */
export type LogReading = {
  /** `seq` of the piece before the first that is wanted, in the direction of reading. */
  after: number
  backwards: boolean
  /** Pieces whose last line is older are left out. Undefined: none. */
  sinceSeconds: number | undefined
}

/** Bytes that are read at a time, and a piece more. */
const READ_BYTES = 1024 * 1024

/** The next pieces of what the adapter of a run wrote in one attempt, about a mebibyte of them. Empty at the end. */
export async function findLogPieces(
  db: Db,
  scope: Scope,
  id: string,
  { benchmark_index, attempt }: LogOwner,
  { after, backwards, sinceSeconds }: LogReading,
): Promise<LogPiece[]> {
  const next = backwards ? db`seq < ${after} order by seq desc` : db`seq > ${after} order by seq`
  const since =
    sinceSeconds === undefined ? db`null::timestamptz` : db`statement_timestamp() - make_interval(secs => ${sinceSeconds}::float8)`
  return db<LogPiece[]>`
    with next as (
      select run_logs.*, sum(bytes) over (order by seq ${backwards ? db`desc` : db``}) - bytes as before
      from evalhub.run_logs
      where evaluation_id = (select id from evalhub.evaluations where id = ${id} and deleted_at is null ${ofTenant(db, scope)})
        and benchmark_index = ${benchmark_index} and attempt = ${attempt} and container in ('local', 'adapter')
        and coalesce(last_at >= ${since}, true) and ${next} limit 1000
    )
    select seq, chunk, to_json(last_at) as last_at, times, to_json(${since}) as since, start_byte::float8, coalesce(greatest(0, start_byte - (
      case when lag(seq) over (order by seq) = seq - 1 then lag(start_byte + bytes) over (order by seq) else (
        select start_byte + bytes from evalhub.run_logs as earlier
        where earlier.evaluation_id = next.evaluation_id and earlier.benchmark_index = next.benchmark_index and earlier.attempt = next.attempt
          and earlier.container = next.container and earlier.seq < next.seq order by earlier.seq desc limit 1
      ) end)), 0)::float8 as missing
    from next where before < ${READ_BYTES} order by seq ${backwards ? db`desc` : db``}`
}
