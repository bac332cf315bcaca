import type { RunProgress, RunResult } from '#shared/domain/apply-event.ts'
import type { Waiting } from '#shared/domain/waiting.ts'
import { deriveState, messageFor } from '#shared/domain/evaluation-state.ts'
import { runWeight } from '#shared/domain/job-weight.ts'
import { aggregate } from '#shared/domain/score.ts'
import type { AggregateTest } from '#shared/models/evaluation.ts'
import type { BenchmarkStatusEvent } from '#shared/models/event.ts'
import type { Message } from '#shared/models/message.ts'
import { isTerminal, type EvaluationState } from '#shared/models/states.ts'
import type { Db, Pool } from '../client.ts'
import { json } from '../json.ts'
import type { EvaluationRow, RunRow } from '../rows.ts'
import { ofTenant, type TenantScope } from '../scope.ts'

/** The evaluation, locked, as a decision sees it. */
export type LockedEvaluation = Pick<
  EvaluationRow,
  'id' | 'tenant' | 'state' | 'aggregate_threshold' | 'cancelled_at' | 'deleted_at' | 'last_seq' | 'weight'
>

/** A run, locked, as a decision sees it: without results, which may be long, and which only runs have that never change again. */
export type LockedRun = RunProgress &
  Pick<RunRow, 'benchmark_index' | 'provider_id' | 'benchmark_id' | 'spec' | 'attempt'> & {
    /** Kept only while the run is pending. */
    waiting: Waiting | null
  }

/** A run as it shall be. Which run it is never changes. */
export type ChangedRun = LockedRun & Partial<RunResult>

export type Decision = {
  /** Runs that shall be otherwise, whole. Those that have ended stay as they are. */
  runs: readonly ChangedRun[]
  /** True: the job is cancelled with this change. */
  cancel?: boolean
  /** True: no read shall show the job any more. */
  remove?: boolean
  /** The attempts of these runs are over, and why. */
  endedAttempts?: readonly EndedAttempt[]
  /** What these attempts reported, to be kept until they are over; each leaves the queue. */
  reports?: readonly Report[]
  /** Runs that shall be launched again, as the attempt that their changed row names. */
  requeue?: readonly Requeue[]
}

export type Report = { benchmark_index: number; attempt: number; report: BenchmarkStatusEvent }

export type Requeue = { benchmark_index: number; delaySeconds: number }

export type EndedAttempt = {
  benchmark_index: number
  attempt: number
  failure_class: string | null
  exit_code: number | null
  message: string | null
}

/** Its transaction is for what a decision must know beside its runs. */
export type Decide = (
  evaluation: LockedEvaluation,
  runs: readonly LockedRun[],
  tx: Db,
) => Decision | undefined | Promise<Decision | undefined>

/**
 * The one way in which runs change state: locks the evaluation, then its runs by index, asks `decide`, derives the job's state, scores it
 * once all is over, and writes everything in one transaction.
 *
 * `decide` writes nothing: it refuses by throwing, and undefined means that nothing shall change. Undefined comes back if `scope` has no such evaluation:
 * of another tenant's nothing is read or locked.
 */
export async function changeRuns(
  db: Pool,
  scope: TenantScope,
  evaluationId: string,
  decide: Decide,
): Promise<Decision | 'unchanged' | undefined> {
  return db.begin(async (tx) => {
    // Sent together and carried out in this order, so everybody locks the evaluation first.
    const [[evaluation], runs] = await Promise.all([lockEvaluation(tx, scope, evaluationId), lockRuns(tx, scope, evaluationId)])
    if (!evaluation) return undefined
    const decision = await decide(evaluation, runs, tx)
    if (!decision) return 'unchanged'
    await write(tx, evaluation, runs, decision)
    return decision
  })
}

const lockEvaluation = (tx: Db, scope: TenantScope, id: string) => tx<LockedEvaluation[]>`
  select id, tenant, state, aggregate_threshold, to_json(cancelled_at) as cancelled_at, to_json(deleted_at) as deleted_at, last_seq, weight
  from evalhub.evaluations where id = ${id} ${ofTenant(tx, scope)} for update`

const lockRuns = (tx: Db, scope: TenantScope, id: string) => tx<LockedRun[]>`
  select benchmark_index, provider_id, benchmark_id, spec, attempt, state, phase, progress, error_message, warning_message, started_at,
    completed_at, test, resolved_sha, waiting
  from evalhub.runs
  where evaluation_id = (select id from evalhub.evaluations where id = ${id} ${ofTenant(tx, scope)})
  order by benchmark_index for update`

type Outcome = { state: EvaluationState; message: Message; test: AggregateTest | undefined }

/** What the job comes to with its runs as they are now. */
function outcomeOf(evaluation: LockedEvaluation, runs: readonly LockedRun[], cancel: boolean): Outcome {
  const started = evaluation.state !== 'pending' || runs.some((run) => run.started_at !== null)
  const cancelled = cancel || evaluation.cancelled_at !== null
  const state = deriveState(
    runs.map((run) => run.state),
    { cancelled, started },
  )
  const test = state === 'completed' ? aggregate(runs, evaluation.aggregate_threshold) : undefined
  return { state, message: messageFor(state, runs), test }
}

async function write(tx: Db, evaluation: LockedEvaluation, before: readonly LockedRun[], decision: Decision): Promise<void> {
  const changed = new Map(decision.runs.map((run) => [run.benchmark_index, run]))
  const after = before.map((run) => changed.get(run.benchmark_index) ?? run)
  const outcome = isTerminal(evaluation.state) ? undefined : outcomeOf(evaluation, after, decision.cancel ?? false)
  const events = eventsOf(evaluation, before, after, outcome)
  const queued = decision.requeue ?? []
  const leaving = [...decision.runs.filter((run) => isTerminal(run.state)), ...(decision.reports ?? [])].map(({ benchmark_index }) => ({
    benchmark_index,
  }))

  await Promise.all([
    updateRuns(tx, evaluation.id, decision.runs),
    updateEvaluation(tx, evaluation, outcome, decision, { events: events.length, weight: weightAdded(before, decision.runs) }),
    ...(events.length ? [insertEvents(tx, evaluation.id, events)] : []),
    ...(leaving.length ? [removeFromQueue(tx, evaluation.id, leaving)] : []),
    ...(decision.endedAttempts?.length ? [closeAttempts(tx, evaluation.id, decision.endedAttempts)] : []),
    ...(decision.reports?.length ? [keepReports(tx, evaluation.id, decision.reports)] : []),
    ...queued.map((requeue) => enqueue(tx, evaluation, requeue, changed.get(requeue.benchmark_index)?.attempt ?? 1)),
  ])
}

type NewEvent = { seq: number; benchmark_index: number | null; attempt: number | null; state: string; message: string | null }

/** A row for each state that changed, the runs' before the job's. */
function eventsOf(
  evaluation: LockedEvaluation,
  before: readonly LockedRun[],
  after: readonly LockedRun[],
  outcome: Outcome | undefined,
): NewEvent[] {
  const ofRuns = after.flatMap((run, at) => {
    const was = before[at]
    if (!was || (was.state === run.state && was.attempt === run.attempt)) return []
    return [{ benchmark_index: run.benchmark_index, attempt: run.attempt, state: run.state, message: run.error_message?.message ?? null }]
  })
  const ofJob =
    outcome && outcome.state !== evaluation.state
      ? [{ benchmark_index: null, attempt: null, state: outcome.state, message: outcome.message.message }]
      : []
  return [...ofRuns, ...ofJob].map((event, at) => ({ seq: evaluation.last_seq + 1 + at, ...event }))
}

const updateRuns = (tx: Db, id: string, runs: readonly ChangedRun[]) => tx`
  update evalhub.runs set
    state = new.state, phase = new.phase, progress = new.progress, attempt = new.attempt, error_message = new.error_message,
    warning_message = new.warning_message, started_at = new.started_at, completed_at = new.completed_at, metrics = new.metrics,
    metrics_schema = new.metrics_schema, additional_info = new.additional_info, artifacts = new.artifacts, test = new.test,
    mlflow_run_id = new.mlflow_run_id, logs_path = new.logs_path, resolved_sha = new.resolved_sha, updated_at = now(),
    waiting = case when new.state = 'pending' then new.waiting end,
    waiting_since = case when new.state = 'pending' and new.waiting is not null
      then case when new.waiting ->> 'kind' = runs.waiting ->> 'kind' then runs.waiting_since else now() end end,
    finished_at = case when new.state in ('pending', 'running') then null else coalesce(runs.finished_at, now()) end
  from jsonb_populate_recordset(null::evalhub.runs, ${json(tx, runs.map(withoutSpec))}) as new
  where runs.evaluation_id = ${id} and runs.benchmark_index = new.benchmark_index and runs.state in ('pending', 'running')`

/** The snapshot never changes, so it is not sent. */
const withoutSpec = ({ spec: _, ...run }: ChangedRun) => run

/** What the job weighs more with its runs as they shall be. */
function weightAdded(before: readonly LockedRun[], changed: readonly ChangedRun[]): number {
  const byIndex = new Map(before.map((run) => [run.benchmark_index, run]))
  return changed.reduce((sum, run) => sum + runWeight(run) - runWeight(byIndex.get(run.benchmark_index) ?? {}), 0)
}

type Added = { events: number; weight: number }

const updateEvaluation = (tx: Db, { id, state }: LockedEvaluation, outcome: Outcome | undefined, decision: Decision, added: Added) => tx`
  update evalhub.evaluations set
    state = ${outcome?.state ?? state}, message = coalesce(${outcome ? json(tx, outcome.message) : null}::jsonb, message),
    score = coalesce(${outcome?.test?.score ?? null}::float8, score), passed = coalesce(${outcome?.test?.pass ?? null}::boolean, passed),
    finished_at = case when ${isTerminal(outcome?.state ?? state)}::boolean then coalesce(finished_at, now()) end,
    cancelled_at = case when ${decision.cancel ?? false}::boolean then coalesce(cancelled_at, now()) else cancelled_at end,
    deleted_at = case when ${decision.remove ?? false}::boolean then coalesce(deleted_at, now()) else deleted_at end,
    last_seq = last_seq + ${added.events}::int, weight = weight + ${added.weight}::int, updated_at = now()
  where id = ${id}`

const insertEvents = (tx: Db, id: string, events: readonly NewEvent[]) => tx`
  insert into evalhub.job_events (evaluation_id, seq, benchmark_index, attempt, state, message)
  select ${id}, seq, benchmark_index, attempt, state, message
  from jsonb_to_recordset(${json(tx, events)}) as event (seq int, benchmark_index int, attempt smallint, state text, message text)`

const removeFromQueue = (tx: Db, id: string, leaving: readonly { benchmark_index: number }[]) => tx`
  delete from evalhub.launch_queue using jsonb_to_recordset(${json(tx, leaving)}) as run (benchmark_index int)
  where evaluation_id = ${id} and launch_queue.benchmark_index = run.benchmark_index`

const closeAttempts = (tx: Db, id: string, ended: readonly EndedAttempt[]) => tx`
  insert into evalhub.attempts as old (evaluation_id, benchmark_index, attempt, holder, failure_class, exit_code, message, ended_at)
  select ${id}, benchmark_index, attempt, '', failure_class, exit_code, message, now()
  from jsonb_to_recordset(${json(tx, ended)})
    as new (benchmark_index int, attempt smallint, failure_class text, exit_code int, message text)
  on conflict (evaluation_id, benchmark_index, attempt) do update
    set failure_class = excluded.failure_class, exit_code = excluded.exit_code, message = excluded.message, ended_at = excluded.ended_at,
      changed_in = excluded.changed_in
    where old.ended_at is null`

const keepReports = (tx: Db, id: string, reports: readonly Report[]) => tx`
  insert into evalhub.attempts as old (evaluation_id, benchmark_index, attempt, holder, report)
  select ${id}, benchmark_index, attempt, '', report
  from jsonb_to_recordset(${json(tx, reports)}) as new (benchmark_index int, attempt smallint, report jsonb)
  on conflict (evaluation_id, benchmark_index, attempt) do update set report = coalesce(old.report, excluded.report)`

const enqueue = (tx: Db, { id, tenant }: LockedEvaluation, { benchmark_index: index, delaySeconds }: Requeue, attempt: number) => tx`
  insert into evalhub.launch_queue (tenant, evaluation_id, benchmark_index, attempt, due_at)
  values (${tenant}, ${id}, ${index}, ${attempt}, now() + make_interval(secs => ${delaySeconds}))
  on conflict (evaluation_id, benchmark_index) do update
    set attempt = excluded.attempt, due_at = excluded.due_at, lease_holder = null, lease_expires_at = null, tries = 0, last_error = null,
      changed_in = excluded.changed_in`
