import type { JobState } from '#shared/models/job-batch.ts'
import type { Db } from '../client.ts'
import { json } from '../json.ts'
import type { EvaluationRow } from '../rows.ts'
import { ofTenant, type TenantScope } from '../scope.ts'
import { isUuid } from './evaluations.ts'

type StateRow = Pick<EvaluationRow, 'id' | 'state' | 'updated_at' | 'score' | 'passed' | 'aggregate_threshold'> &
  Pick<JobState, 'progress' | 'benchmarks'>

/**
 * Where jobs stand, in one statement that reads no request and no result. In no order, each job once.
 *
 * Ids that nothing has, or another tenant's job, are left out: a caller cannot tell the two apart.
 */
export async function findJobStates(db: Db, scope: TenantScope, ids: readonly string[]): Promise<JobState[]> {
  const rows = await db<StateRow[]>`
    select id, state, to_json(updated_at) as updated_at, score, passed, aggregate_threshold, progress, benchmarks
    from evalhub.evaluations, lateral (
      select
        avg(case when finished_at is not null then 1 else coalesce(progress, 0) end) as progress,
        json_build_object(
          'total', count(*), 'pending', count(*) filter (where state = 'pending'), 'running', count(*) filter (where state = 'running'),
          'completed', count(*) filter (where state = 'completed'), 'failed', count(*) filter (where state = 'failed'),
          'cancelled', count(*) filter (where state = 'cancelled')
        ) as benchmarks
      from evalhub.runs where evaluation_id = evaluations.id
    ) as counted
    where id in (select distinct wanted::uuid from jsonb_array_elements_text(${json(db, ids.filter(isUuid))}) as wanted)
      and deleted_at is null ${ofTenant(db, scope)}`
  return rows.map(toState)
}

const toState = ({ score, passed, aggregate_threshold: threshold, ...state }: StateRow): JobState => ({
  ...state,
  ...(score !== null && passed !== null && { test: { score, threshold, pass: passed } }),
})
