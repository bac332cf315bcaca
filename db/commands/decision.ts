import type { RunProgress, RunResult } from '#shared/domain/apply-event.ts'
import type { JudgedSpec } from '#shared/domain/run-spec.ts'
import { deriveState, messageFor } from '#shared/domain/evaluation-state.ts'
import { runFootprint } from '#shared/domain/job-footprint.ts'
import { aggregate } from '#shared/domain/score.ts'
import type { Waiting } from '#shared/domain/waiting.ts'
import type { AggregateTest } from '#shared/models/evaluation.ts'
import type { BenchmarkStatusEvent } from '#shared/models/event.ts'
import type { Message } from '#shared/models/message.ts'
import { isTerminal, type EvaluationState } from '#shared/models/states.ts'
import type { EvaluationRow, RunRow } from '../rows.ts'

/** The evaluation, locked, as a decision sees it. */
export type LockedEvaluation = Pick<
  EvaluationRow,
  'id' | 'tenant' | 'state' | 'aggregate_threshold' | 'cancelled_at' | 'deleted_at' | 'last_seq' | 'footprint'
>

/** A run, locked, as a decision sees it: without results, which may be long, and which only runs have that never change again. */
export type LockedRun = RunProgress &
  Pick<RunRow, 'benchmark_index' | 'provider_id' | 'benchmark_id' | 'attempt'> & {
    spec: JudgedSpec
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

/** A row of `job_events`. */
export type StateChange = { seq: number; benchmark_index: number | null; attempt: number | null; state: string; message: string | null }

type Outcome = { state: EvaluationState; message: Message; test: AggregateTest | undefined }

/** A locked job with all that was decided about it so far, none of it written yet. */
export type DecidedJob = {
  evaluation: LockedEvaluation
  runs: readonly ChangedRun[]
  /** The runs as they are stored, in the same order. */
  stored: readonly LockedRun[]
  /** How many decisions there were. */
  decisions: number
  /** What the job comes to; undefined while there is no decision, and for one that had ended before. */
  outcome: Outcome | undefined
  changes: readonly StateChange[]
  /** How much larger the job's footprint is than as it is stored. */
  footprintAdded: number
  endedAttempts: readonly EndedAttempt[]
  reports: readonly Report[]
  requeue: readonly Requeue[]
}

export const undecided = (evaluation: LockedEvaluation, runs: readonly LockedRun[]): DecidedJob => ({
  evaluation,
  runs,
  stored: runs,
  decisions: 0,
  outcome: undefined,
  changes: [],
  footprintAdded: 0,
  endedAttempts: [],
  reports: [],
  requeue: [],
})

/** Stands, in a job that was not written yet, for the time at which it will be. */
const AT_COMMIT = 'now'

/** The job with one more decision, so that the next one is made on what this one leaves. */
export function decided(job: DecidedJob, decision: Decision): DecidedJob {
  const { evaluation, runs: before } = job
  const changed = new Map(decision.runs.map((run) => [run.benchmark_index, run]))
  const runs = before.map((run) => (isTerminal(run.state) ? run : (changed.get(run.benchmark_index) ?? run)))
  const outcome = isTerminal(evaluation.state) ? undefined : outcomeOf(evaluation, runs, decision.cancel ?? false)
  const changes = changesOf(evaluation, before, runs, outcome)
  const footprintAdded = runs.reduce(
    (sum, run, at) => (run === before[at] ? sum : sum + runFootprint(run) - runFootprint(before[at] ?? {})),
    0,
  )
  return {
    ...job,
    evaluation: {
      ...evaluation,
      state: outcome?.state ?? evaluation.state,
      cancelled_at: evaluation.cancelled_at ?? (decision.cancel ? AT_COMMIT : null),
      deleted_at: evaluation.deleted_at ?? (decision.remove ? AT_COMMIT : null),
      last_seq: evaluation.last_seq + changes.length,
      footprint: evaluation.footprint + footprintAdded,
    },
    runs,
    decisions: job.decisions + 1,
    outcome: outcome ?? job.outcome,
    changes: [...job.changes, ...changes],
    footprintAdded: job.footprintAdded + footprintAdded,
    endedAttempts: [...job.endedAttempts, ...(decision.endedAttempts ?? [])],
    reports: [...job.reports, ...(decision.reports ?? [])],
    requeue: [...job.requeue, ...(decision.requeue ?? [])],
  }
}

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

/** A row for each state that changed, the runs' before the job's. */
function changesOf(
  evaluation: LockedEvaluation,
  before: readonly LockedRun[],
  after: readonly LockedRun[],
  outcome: Outcome | undefined,
): StateChange[] {
  const ofRuns = after.flatMap((run, at) => {
    const was = before[at]
    if (!was || (was.state === run.state && was.attempt === run.attempt)) return []
    return [{ benchmark_index: run.benchmark_index, attempt: run.attempt, state: run.state, message: run.error_message?.message ?? null }]
  })
  const ofJob =
    outcome && outcome.state !== evaluation.state
      ? [{ benchmark_index: null, attempt: null, state: outcome.state, message: outcome.message.message }]
      : []
  return [...ofRuns, ...ofJob].map((change, at) => ({ seq: evaluation.last_seq + 1 + at, ...change }))
}
