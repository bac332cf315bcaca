import { isTerminal } from '#shared/models/states.ts'
import type { Db } from '../client.ts'
import { json } from '../json.ts'
import type { ChangedRun, DecidedJob } from './decision.ts'

/** Writes what was decided about jobs whose evaluations and runs are locked: one statement a table. */
export async function writeDecisions(tx: Db, jobs: readonly DecidedJob[]): Promise<void> {
  const each = <Row extends object>(rowsOf: (job: DecidedJob) => readonly Row[]) =>
    jobs.flatMap((job) => rowsOf(job).map((row) => ({ evaluation_id: job.evaluation.id, ...row })))
  const changed = each(({ runs, stored }) => runs.filter((run, at) => run !== stored[at]).map(withoutSpec))
  const changes = each((job) => job.changes)
  const endedAttempts = firstOfEach(each((job) => job.endedAttempts))
  const reports = firstOfEach(each((job) => job.reports))
  const leaving = [...changed.filter(({ state }) => isTerminal(state)), ...reports].map(({ evaluation_id, benchmark_index }) => ({
    evaluation_id,
    benchmark_index,
  }))
  const requeue = each(({ evaluation, runs, requeue: again }) =>
    again.map((one) => {
      const attempt = runs.find((run) => run.benchmark_index === one.benchmark_index)?.attempt ?? 1
      return { ...one, tenant: evaluation.tenant, attempt }
    }),
  )

  // Sent together and carried out in this order.
  await Promise.all([
    writeStates(tx, { changed, jobs: jobs.map(toEvaluation), changes, leaving }),
    ...(endedAttempts.length ? [closeAttempts(tx, endedAttempts)] : []),
    ...(reports.length ? [keepReports(tx, reports)] : []),
    ...(requeue.length ? [enqueue(tx, requeue)] : []),
  ])
}

/**
 * Takes nothing away. The planner takes JSON rows for a hundred, and reads whole tables rather than find a hundred rows by their keys; behind a limit
 * that it cannot know beforehand it takes them for ten.
 */
const few = (tx: Db) => tx`limit (select 2147483647)`

/** The snapshot never changes, so it is not sent. */
const withoutSpec = ({ spec: _, ...run }: ChangedRun) => run

/** Of an attempt that something is said about more than once, what was said first; no statement may write a row twice. */
function firstOfEach<Row extends { evaluation_id: string; benchmark_index: number; attempt: number }>(rows: readonly Row[]): Row[] {
  const byAttempt = new Map<string, Row>()
  for (const row of rows) {
    const key = `${row.evaluation_id}/${row.benchmark_index}/${row.attempt}`
    if (!byAttempt.has(key)) byAttempt.set(key, row)
  }
  return [...byAttempt.values()]
}

type States = Record<'changed' | 'jobs' | 'changes' | 'leaving', readonly object[]>

/**
 * The runs, their jobs, what happened, and who leaves the queue. One statement updates all jobs, so that its trigger, which counts jobs by state,
 * locks the rows of the counts in the order in which all writers do.
 */
const writeStates = (tx: Db, { changed, jobs, changes, leaving }: States) => tx`
  with changed_runs as (
    update evalhub.runs set
      state = new.state, phase = new.phase, progress = new.progress, attempt = new.attempt, error_message = new.error_message,
      warning_message = new.warning_message, started_at = new.started_at, completed_at = new.completed_at, metrics = new.metrics,
      metrics_schema = new.metrics_schema, additional_info = new.additional_info, artifacts = new.artifacts, test = new.test,
      mlflow_run_id = new.mlflow_run_id, logs_path = new.logs_path, resolved_sha = new.resolved_sha, updated_at = now(),
      waiting = case when new.state = 'pending' then new.waiting end,
      waiting_since = case when new.state = 'pending' and new.waiting is not null
        then case when new.waiting ->> 'kind' = runs.waiting ->> 'kind' then runs.waiting_since else now() end end,
      finished_at = case when new.state in ('pending', 'running') then null else coalesce(runs.finished_at, now()) end
    from (select * from jsonb_populate_recordset(null::evalhub.runs, ${json(tx, changed)}) ${few(tx)}) as new
    where runs.evaluation_id = new.evaluation_id and runs.benchmark_index = new.benchmark_index and runs.state in ('pending', 'running')
  ), happened as (
    insert into evalhub.job_events (evaluation_id, seq, benchmark_index, attempt, state, message)
    select evaluation_id, seq, benchmark_index, attempt, state, message
    from jsonb_to_recordset(${json(tx, changes)})
      as change (evaluation_id uuid, seq int, benchmark_index int, attempt smallint, state text, message text)
  ), left_queue as (
    delete from evalhub.launch_queue as queue
    using (select * from jsonb_to_recordset(${json(tx, leaving)}) as run (evaluation_id uuid, benchmark_index int) ${few(tx)}) as run
    where queue.evaluation_id = run.evaluation_id and queue.benchmark_index = run.benchmark_index
  )
  update evalhub.evaluations as job set
    state = new.state, message = coalesce(new.message, job.message), score = coalesce(new.score, job.score),
    passed = coalesce(new.passed, job.passed), last_seq = new.last_seq, open_runs = new.open_runs,
    footprint = job.footprint + new.footprint_added, stored_bytes = job.stored_bytes + new.footprint_added,
    updated_at = now(),
    finished_at = case when new.is_over then coalesce(job.finished_at, now()) end,
    cancelled_at = case when new.is_cancelled then coalesce(job.cancelled_at, now()) end,
    deleted_at = case when new.is_deleted then coalesce(job.deleted_at, now()) end
  from (
    select * from jsonb_to_recordset(${json(tx, jobs)}) as new (
      id uuid, state evalhub.evaluation_state, message jsonb, score float8, passed boolean, last_seq int, open_runs int, footprint_added int, is_over boolean,
      is_cancelled boolean, is_deleted boolean
    ) ${few(tx)}
  ) as new
  where job.id = new.id`

const toEvaluation = ({ evaluation: { id, state, last_seq, cancelled_at, deleted_at }, runs, outcome, footprintAdded }: DecidedJob) => ({
  id,
  state,
  message: outcome?.message,
  score: outcome?.test?.score,
  passed: outcome?.test?.pass,
  last_seq,
  open_runs: runs.filter((run) => !isTerminal(run.state)).length,
  footprint_added: footprintAdded,
  is_over: isTerminal(state),
  is_cancelled: cancelled_at !== null,
  is_deleted: deleted_at !== null,
})

const closeAttempts = (tx: Db, ended: readonly object[]) => tx`
  insert into evalhub.attempts as old (evaluation_id, benchmark_index, attempt, holder, failure_class, exit_code, message, ended_at)
  select evaluation_id, benchmark_index, attempt, '', failure_class, exit_code, message, now()
  from jsonb_to_recordset(${json(tx, ended)})
    as new (evaluation_id uuid, benchmark_index int, attempt smallint, failure_class text, exit_code int, message text)
  on conflict (evaluation_id, benchmark_index, attempt) do update
    set failure_class = excluded.failure_class, exit_code = excluded.exit_code, message = excluded.message, ended_at = excluded.ended_at,
      changed_in = excluded.changed_in
    where old.ended_at is null`

const keepReports = (tx: Db, reports: readonly object[]) => tx`
  insert into evalhub.attempts as old (evaluation_id, benchmark_index, attempt, holder, report)
  select evaluation_id, benchmark_index, attempt, '', report
  from jsonb_to_recordset(${json(tx, reports)}) as new (evaluation_id uuid, benchmark_index int, attempt smallint, report jsonb)
  on conflict (evaluation_id, benchmark_index, attempt) do update set report = coalesce(old.report, excluded.report)`

const enqueue = (tx: Db, rows: readonly object[]) => tx`
  insert into evalhub.launch_queue (tenant, evaluation_id, benchmark_index, attempt, due_at)
  select tenant, evaluation_id, benchmark_index, attempt, now() + make_interval(secs => "delaySeconds")
  from jsonb_to_recordset(${json(tx, rows)})
    as new (tenant text, evaluation_id uuid, benchmark_index int, attempt smallint, "delaySeconds" float8)
  on conflict (evaluation_id, benchmark_index) do update
    set attempt = excluded.attempt, due_at = excluded.due_at, lease_holder = null, lease_expires_at = null, tries = 0, last_error = null,
      changed_in = excluded.changed_in`
