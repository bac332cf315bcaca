import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import type { BenchmarkTest } from '#shared/models/benchmark-run.ts'
import type { RunState } from '#shared/models/states.ts'
import type { Db } from '../client.ts'
import { json } from '../json.ts'
import { lastingWait, type LastingWait } from './waiting.ts'

/** A run that the bridge owes something. Times are by the database's clock. */
export type UnsettledRun = AttemptKey & {
  tenant: string
  providerId: string
  benchmarkId: string
  state: RunState
  /** The job was hard-deleted. */
  isDeleted: boolean
  /** Bound of the attempt. */
  deadlineSeconds: number
  /** Names the secret of the model under test. */
  secretRef: string | null
  /** Null while the run goes on. */
  finishedSecondsAgo: number | null
  /** Why it has not started, as far as it was found out. */
  waiting: LastingWait | null
  /** Verdict on a run that has ended with results. */
  test: BenchmarkTest | null
  /** Null if the present attempt was not recorded as launched. `startedSecondsAgo` is null until it was seen on a machine. */
  launch: { holder: string; objectUid: string | null; secondsAgo: number; startedSecondsAgo: number | null } | null
}

type Options = {
  /** Attempts that the runtime shows and that are of interest: never cut off. */
  present: readonly AttemptKey[]
  /** Of all other ended runs, how many at most. */
  limit: number
  /** False: of the launched runs only those of `present`, and those that have ended. */
  everyLaunched: boolean
}

/** Runs that were launched and are not settled, and those that ended and are not settled. Runs that only wait in the queue are not among them. */
export async function listUnsettledRuns(db: Db, { present, limit, everyLaunched }: Options): Promise<UnsettledRun[]> {
  return db<UnsettledRun[]>`
    with owed as (
      select evaluation_id, benchmark_index from evalhub.attempts where ended_at is null and ${everyLaunched}
      union
      (select evaluation_id, benchmark_index from evalhub.runs where settled_at is null and finished_at is not null
       order by evaluation_id, benchmark_index limit ${limit})
      union
      select "evaluationId", "benchmarkIndex"
      from jsonb_to_recordset(${json(db, present)}) as present ("evaluationId" uuid, "benchmarkIndex" int)
    )
    select run.evaluation_id as "evaluationId", run.benchmark_index as "benchmarkIndex", run.attempt,
      evaluation.tenant, run.provider_id as "providerId", run.benchmark_id as "benchmarkId", run.state, evaluation.deleted_at is not null as "isDeleted",
      (run.spec ->> 'deadline_seconds')::float8 as "deadlineSeconds",
      evaluation.request #>> '{model,auth,secret_ref}' as "secretRef",
      extract(epoch from now() - run.finished_at)::float8 as "finishedSecondsAgo",
      ${lastingWait(db)},
      run.test,
      case when attempt.holder is not null then json_build_object('holder', attempt.holder, 'objectUid', attempt.object_uid,
        'secondsAgo', extract(epoch from now() - attempt.launched_at),
        'startedSecondsAgo', extract(epoch from now() - attempt.started_at)) end as launch
    from owed
      join evalhub.runs as run using (evaluation_id, benchmark_index)
      join evalhub.evaluations as evaluation on evaluation.id = run.evaluation_id
      left join evalhub.attempts as attempt using (evaluation_id, benchmark_index, attempt)
    where run.settled_at is null`
}
