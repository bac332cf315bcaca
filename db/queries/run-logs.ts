import type { Db } from '../client.ts'
import { ofTenant, type Scope } from '../scope.ts'
import { isUuid } from './evaluations.ts'

/** A run whose log is asked for. */
export type LogOwner = { benchmark_index: number; benchmark_id: string; attempt: number }

/** The runs of a job, by index. Undefined if there is no such job for the caller. */
export async function listLogOwners(db: Db, scope: Scope, id: string): Promise<LogOwner[] | undefined> {
  if (!isUuid(id)) return undefined
  const [row] = await db<{ runs: LogOwner[] }[]>`
    select (
      select json_agg(
        json_build_object('benchmark_index', benchmark_index, 'benchmark_id', benchmark_id, 'attempt', attempt) order by benchmark_index
      ) from evalhub.runs where evaluation_id = evaluations.id
    ) as runs
    from evalhub.evaluations where id = ${id} and deleted_at is null ${ofTenant(db, scope)}`
  return row?.runs
}

/** What the adapter of a run wrote in one attempt: gzip pieces, in order. At most `run_logs`' bound for a run. */
export async function findLogChunks(db: Db, scope: Scope, id: string, { benchmark_index, attempt }: LogOwner): Promise<Uint8Array[]> {
  const rows = await db<{ chunk: Uint8Array }[]>`
    select chunk from evalhub.run_logs join evalhub.evaluations on evaluations.id = evaluation_id
    where evaluation_id = ${id} and benchmark_index = ${benchmark_index} and attempt = ${attempt} ${ofTenant(db, scope)}
      and deleted_at is null and container in ('local', 'adapter')
    order by seq`
  return rows.map((row) => row.chunk)
}
