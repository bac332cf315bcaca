import { applyEvent, keptMessage, LAUNCH_WARNING, laterPhase } from '#shared/domain/apply-event.ts'
import { isShort, tooLarge } from '#shared/domain/job-footprint.ts'
import { HubError, notFound } from '#shared/errors.ts'
import type { BenchmarkStatusEvent } from '#shared/models/event.ts'
import { isTerminal } from '#shared/models/states.ts'
import type { Pool } from '../client.ts'
import { json } from '../json.ts'
import { isUuid } from '../queries/evaluations.ts'
import { EVERY_TENANT } from '../scope.ts'
import { changeRunsTogether, type RunChange } from './change-runs.ts'
import type { Decision, LockedEvaluation, LockedRun } from './decision.ts'

export type RunEvent = {
  evaluationId: string
  event: BenchmarkStatusEvent
  /** The only attempt that may report it; any may, if absent. */
  attempt?: number
  /** The only tenant whose job may be meant; any, if absent: the row knows its own. */
  tenant?: string
}

/** An event that needs a decision, and when it came: RFC 3339. */
export type TimedEvent = { runEvent: RunEvent; now: string }

/** Made of `recordProgress` and `recordDecisive` by `gather`. */
export type EventWriters = {
  /** Writes progress of a running run; false if it found none. */
  writeProgress: (event: RunEvent) => Promise<boolean>
  /** Answers why the event is refused; undefined where it is not. */
  writeDecisive: (event: TimedEvent) => Promise<HubError | undefined>
}

/**
 * Records what an adapter reports. `now` is RFC 3339.
 *
 * Progress of a running run is one guarded UPDATE; anything else locks the job and decides. The caller may repeat an event without harm.
 * `failed` of a run token's holder is kept, and ends the run when the bridge has seen the end of the attempt.
 * Refuses an unknown job or benchmark (404), a job that has ended (409), an attempt that is not the run's present one (403), and more than a run
 * or a job may keep (400): then nothing of it is kept.
 */
export async function recordGathered({ writeProgress, writeDecisive }: EventWriters, runEvent: RunEvent, now: string): Promise<void> {
  if (!isUuid(runEvent.evaluationId)) throw notFound('evaluation job', runEvent.evaluationId)
  if (isProgress(runEvent.event) && (await writeProgress(runEvent))) return
  const refusal = await writeDecisive({ runEvent, now })
  if (refusal) throw refusal
}

/** As `recordGathered`, by statements of its own. */
export const recordEvent = (db: Pool, runEvent: RunEvent, now: string): Promise<void> =>
  recordGathered(
    {
      writeProgress: async (event) => (await recordProgress(db, [event]))[0] ?? false,
      writeDecisive: async (event) => (await recordDecisive(db, [event]))[0],
    },
    runEvent,
    now,
  )

/** Records events that need a decision, of one job or of several, in one transaction. Answers for each why it is refused, if it is. */
export async function recordDecisive(db: Pool, events: readonly TimedEvent[]): Promise<(HubError | undefined)[]> {
  const answers = await changeRunsTogether(db, events.map(toChange))
  return answers.map((answer, at) => {
    if (answer instanceof HubError) return answer
    return answer === undefined ? notFound('evaluation job', events[at]?.runEvent.evaluationId ?? '') : undefined
  })
}

const toChange = ({ runEvent, now }: TimedEvent): RunChange => ({
  scope: runEvent.tenant === undefined ? EVERY_TENANT : { tenant: runEvent.tenant, everyTenant: false },
  evaluationId: runEvent.evaluationId,
  decide: (evaluation, runs) => decide(evaluation, runs, runEvent, now),
})

function decide(
  evaluation: LockedEvaluation,
  runs: readonly LockedRun[],
  { evaluationId, event, attempt }: RunEvent,
  now: string,
): Decision | undefined {
  if (evaluation.deleted_at !== null) throw notFound('evaluation job', evaluationId)
  if (isTerminal(evaluation.state)) {
    throw HubError.of('job_can_not_be_updated', { Id: evaluationId, NewStatus: 'running', Status: evaluation.state })
  }
  const run = runs.find((candidate) => candidate.benchmark_index === event.benchmark_index)
  if (!run || run.provider_id !== event.provider_id || run.benchmark_id !== event.id) throw notFound('benchmark', event.id)
  if (attempt !== undefined && attempt !== run.attempt) {
    throw HubError.of('forbidden', { Error: `Attempt ${attempt} of this run is over; it is at attempt ${run.attempt} now.` })
  }
  const after = applyEvent(run, event, now)
  const why =
    after &&
    tooLarge({ job: { footprint: evaluation.footprint, runs: runs.length }, before: run, after, benchmarkIndex: run.benchmark_index })
  if (why !== undefined) throw HubError.of('request_validation_failed', { Error: why })
  return attempt !== undefined && event.status === 'failed' ? keptReport(run, event, now) : after && { runs: [{ ...run, ...after }] }
}

/** An adapter that is being taken away fails first, so its words are the reason only if its end does not tell of another. */
function keptReport(run: LockedRun, event: BenchmarkStatusEvent, now: string): Decision | undefined {
  if (isTerminal(run.state)) return undefined
  const { provider_id, id, benchmark_index } = event
  const started = applyEvent(run, { provider_id, id, benchmark_index, status: 'running', started_at: event.started_at }, now)
  return { runs: started ? [{ ...run, ...started }] : [], reports: [{ benchmark_index, attempt: run.attempt, report: event }] }
}

/** True for an event that cannot change a state of a running run, nor what may be said but once, nor its job's footprint. */
const isProgress = ({ status, job_meta: meta, error_message: error, warning_message: warning }: BenchmarkStatusEvent): boolean =>
  status === 'running' && meta === undefined && isShort({ error_message: keptMessage(error), warning_message: keptMessage(warning) })

/** A stored message that is shorter has added nothing to its job's footprint, whatever it says. */
const SHORT_BYTES = 700

/**
 * Writes progress of several runs in one statement; events of one run are merged, in their order. False for one whose run is not running, or
 * takes the place of a long message, or would of what was said at the launch: such an event needs a decision.
 */
export async function recordProgress(db: Pool, events: readonly RunEvent[]): Promise<boolean[]> {
  const rows = new Map<string, ProgressRow>()
  for (const event of events) rows.set(keyOf(event), merged(rows.get(keyOf(event)), toRow(event)))
  const keys = [...rows.keys()]
  const written = await db<{ at: number }[]>`
    with event as (
      select * from jsonb_to_recordset(${json(
        db,
        [...rows.values()].map((row, at) => ({ at, ...row })),
      )}) as event (
        at int, evaluation_id uuid, benchmark_index bigint, provider_id text, benchmark_id text, attempt int, tenant text,
        phase evalhub.phase, progress real, error_message jsonb, warning_message jsonb
      )
    ), mine as (
      select event.at
      from event join evalhub.runs as run using (evaluation_id, benchmark_index, provider_id, benchmark_id)
      where run.state = 'running' and (event.attempt is null or event.attempt = run.attempt)
        and (event.tenant is null or event.tenant = (select tenant from evalhub.evaluations where id = run.evaluation_id))
        and (event.warning_message is null or run.warning_message ->> 'message_code' is distinct from ${LAUNCH_WARNING})
        and (coalesce(event.error_message, event.warning_message) is null or concat(run.error_message, run.warning_message) = ''
          or greatest(octet_length(run.error_message::text), octet_length(run.warning_message::text)) < ${SHORT_BYTES})
      order by run.evaluation_id, run.benchmark_index
      for update of run
    )
    update evalhub.runs set
      phase = greatest(runs.phase, event.phase), progress = coalesce(event.progress, runs.progress),
      error_message = coalesce(event.error_message, runs.error_message),
      warning_message = coalesce(event.warning_message, runs.warning_message), updated_at = now()
    from event join mine using (at)
    where runs.evaluation_id = event.evaluation_id and runs.benchmark_index = event.benchmark_index
    returning event.at`
  // Of events that differ in whose they are, or name another benchmark at the same index, one is written at most.
  const writtenKeys = new Set(written.map(({ at }) => keys[at]))
  return events.map((event) => writtenKeys.has(keyOf(event)))
}

const keyOf = ({ evaluationId, event, attempt, tenant }: RunEvent) =>
  JSON.stringify([evaluationId.toLowerCase(), event.benchmark_index, event.provider_id, event.id, attempt, tenant])

type ProgressRow = ReturnType<typeof toRow>

function toRow({ evaluationId, event, attempt, tenant }: RunEvent) {
  return {
    evaluation_id: evaluationId,
    benchmark_index: event.benchmark_index,
    provider_id: event.provider_id,
    benchmark_id: event.id,
    attempt: attempt ?? null,
    tenant: tenant ?? null,
    phase: event.phase ?? null,
    progress: event.progress ?? null,
    error_message: keptMessage(event.error_message) ?? null,
    warning_message: keptMessage(event.warning_message) ?? null,
  }
}

function merged(earlier: ProgressRow | undefined, later: ProgressRow): ProgressRow {
  if (!earlier) return later
  return {
    ...later,
    phase: laterPhase(earlier.phase, later.phase),
    progress: later.progress ?? earlier.progress,
    error_message: later.error_message ?? earlier.error_message,
    warning_message: later.warning_message ?? earlier.warning_message,
  }
}
