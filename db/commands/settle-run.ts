import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import type { FailureClass } from '#shared/domain/failure-class.ts'
import type { RunState } from '#shared/models/states.ts'
import type { Db } from '../client.ts'
import { json } from '../json.ts'

export type SettledRun = AttemptKey & {
  /** Absent if the attempt was never launched. */
  launch?: { holder: string; objectUid: string; secondsAgo: number }
  /** Absent where the launched thing left none. */
  exitCode?: number
}

/** How a run ended that is settled now. */
export type RunOutcome = AttemptKey & {
  state: RunState
  /** Null where its adapter has reported the end, or the user has taken it back. */
  failureClass: FailureClass | null
  exitCode: number | null
}

/**
 * Marks runs as settled: the bridge owes them nothing more. Closes their attempts, and writes the row of one that had ended before its
 * launch was recorded. Changes nothing that a client sees.
 *
 * Answers those that are settled now: a run that has not ended, has another attempt, or is being changed just now is left for the next pass.
 */
export async function settleRuns(db: Db, runs: readonly SettledRun[]): Promise<RunOutcome[]> {
  if (runs.length === 0) return []
  const input = runs.map(({ launch, ...run }) => ({ ...run, ...launch }))
  return db<RunOutcome[]>`
    with given as (
      select * from jsonb_to_recordset(${json(db, input)}) as run (
        "evaluationId" uuid, "benchmarkIndex" int, attempt smallint, holder text, "objectUid" text, "secondsAgo" float8, "exitCode" int
      )
    ), free as (
      select run.evaluation_id, run.benchmark_index, run.state, given.*
      from evalhub.runs as run join given
        on run.evaluation_id = "evaluationId" and run.benchmark_index = "benchmarkIndex" and run.attempt = given.attempt
      where run.settled_at is null and run.finished_at is not null
      order by run.evaluation_id, run.benchmark_index
      for no key update of run skip locked
    ), settled as (
      update evalhub.runs as run set settled_at = now() from free
      where run.evaluation_id = free.evaluation_id and run.benchmark_index = free.benchmark_index
    ), closed as (
      insert into evalhub.attempts as old (evaluation_id, benchmark_index, attempt, launched_at, holder, object_uid, exit_code, ended_at)
      select evaluation_id, benchmark_index, attempt, now() - make_interval(secs => "secondsAgo"), holder, "objectUid", "exitCode", now()
      from free where holder is not null
      on conflict (evaluation_id, benchmark_index, attempt) do update
      set ended_at = coalesce(old.ended_at, excluded.ended_at), exit_code = coalesce(old.exit_code, excluded.exit_code),
        object_uid = coalesce(old.object_uid, excluded.object_uid),
        changed_in = case when old.ended_at is null then excluded.changed_in else old.changed_in end
    )
    select "evaluationId", "benchmarkIndex", attempt, state, old.failure_class as "failureClass", coalesce(old.exit_code, "exitCode") as "exitCode"
    from free left join evalhub.attempts as old using (evaluation_id, benchmark_index, attempt)
    order by "evaluationId", "benchmarkIndex"`
}
