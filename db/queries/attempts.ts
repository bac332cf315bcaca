import type { Attempt } from '#shared/models/attempt.ts'
import type { Db } from '../client.ts'
import { present } from '../rows.ts'
import { ofTenant, type Scope } from '../scope.ts'
import { isUuid } from './evaluations.ts'

type AttemptRow = { [Key in keyof Attempt]-?: NonNullable<Attempt[Key]> | null } & { attempt: number }

/** The attempts of a run, by number; empty if it was not launched yet. Undefined if there is no such run for the caller. */
export async function listAttempts(db: Db, scope: Scope, id: string, benchmarkIndex: number): Promise<Attempt[] | undefined> {
  if (!isUuid(id)) return undefined
  const [row] = await db<{ attempts: AttemptRow[] }[]>`
    select coalesce((
      select json_agg(json_build_object(
        'attempt', attempt, 'launched_at', case when holder <> '' then launched_at end, 'started_at', started_at,
        'node', node, 'resources', resources, 'ended_at', ended_at,
        'failure_class', failure_class, 'exit_code', exit_code, 'message', message
      ) order by attempt)
      from evalhub.attempts where evaluation_id = evaluations.id and benchmark_index = ${benchmarkIndex}
    ), '[]') as attempts
    from evalhub.evaluations where id = ${id} and deleted_at is null ${ofTenant(db, scope)}
      and exists (select from evalhub.runs where evaluation_id = evaluations.id and benchmark_index = ${benchmarkIndex})`
  return row?.attempts.map(({ attempt, ...rest }) => ({ attempt, ...present(rest) }))
}
