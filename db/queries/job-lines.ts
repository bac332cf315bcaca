import type { EvaluationState } from '#shared/models/states.ts'
import type { Db } from '../client.ts'
import { json } from '../json.ts'

/** How far a job is, in words that fit a line. */
export type JobLine = {
  id: string
  name: string
  state: EvaluationState
  benchmarks: number
  /** Attempts that were launched, of all its runs. */
  attempts: number
  /** Runs to which the bridge owes something. */
  unsettled: number
  score: number | null
  passed: boolean | null
  /** The first runs that have failed, at most three, and how many there are. */
  failed: { benchmark: string; message: string | null }[] | null
  failures: number
}

/** Of jobs that were not deleted, in no order. */
export async function listJobLines(db: Db, ids: readonly string[]): Promise<JobLine[]> {
  return db<JobLine[]>`
    select id, name, state, score, passed, runs.*,
      (select count(*)::int from evalhub.attempts where evaluation_id = id) as attempts
    from evalhub.evaluations, lateral (
      select count(*)::int as benchmarks, count(*) filter (where settled_at is null)::int as unsettled,
        count(*) filter (where run.state = 'failed')::int as failures,
        jsonb_path_query_array(json_agg(json_build_object('benchmark', provider_id || '/' || benchmark_id, 'message', left(error_message ->> 'message', 1000))
          order by benchmark_index) filter (where run.state = 'failed')::jsonb, '$[0 to 2]') as failed
      from evalhub.runs as run where evaluation_id = id
    ) as runs
    where id in (select id::uuid from jsonb_array_elements_text(${json(db, ids)}) as given (id)) and deleted_at is null`
}
