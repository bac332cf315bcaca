import { applyEvent } from '#shared/domain/apply-event.ts'
import type { FailureClass } from '#shared/domain/failure-class.ts'
import { tooLarge, withoutResults } from '#shared/domain/job-footprint.ts'
import { retryAfter } from '#shared/domain/retry.ts'
import type { BenchmarkStatusEvent } from '#shared/models/event.ts'
import { isTerminal } from '#shared/models/states.ts'
import type { Db, Pool } from '../client.ts'
import { EVERY_TENANT } from '../scope.ts'
import { changeRuns } from './change-runs.ts'
import type { Decision, LockedRun } from './decision.ts'
import { endedAttempt, failed, type Failure } from './end-run.ts'

export type EndOfAttempt = Failure & {
  /** True: the platform took the attempt away, so what its adapter said about its end is not the reason. */
  isDisrupted: boolean
}

/**
 * Decides what the end of an attempt means for its run, in one transaction: what the adapter reported, unless it was disrupted; else another
 * attempt, if the class of the failure gets one; else the run has failed. `now` is RFC 3339.
 *
 * Another attempt closes the present one, sends the run back to pending (the only backward move there is) and queues it; the first
 * `started_at` is kept. Undefined, and nothing changes, if the run has ended already or another attempt is under way.
 */
export async function concludeAttempt(db: Pool, end: EndOfAttempt, now: string): Promise<'again' | 'over' | undefined> {
  const result = await changeRuns(db, EVERY_TENANT, end.evaluationId, async (evaluation, runs, tx) => {
    const run = runs.find((candidate) => candidate.benchmark_index === end.benchmarkIndex)
    if (!run || isTerminal(run.state) || run.attempt !== end.attempt || evaluation.deleted_at !== null) return undefined
    const { report, failures } = await historyOf(tx, end)
    if (report && !end.isDisrupted) return asReported({ footprint: evaluation.footprint, runs: runs.length }, run, { report, end, now })
    const decision = retryAfter([...failures, end.failureClass])
    if (decision.again) return again(run, end, decision.afterSeconds)
    const message = decision.note ? `${end.message} ${decision.note}` : end.message
    return { runs: [failed(run, { ...end, message }, now, 'runtime')], endedAttempts: [endedAttempt(end)] }
  })
  if (typeof result !== 'object') return undefined
  return result.requeue ? 'again' : 'over'
}

type History = { report: BenchmarkStatusEvent | null; failures: FailureClass[] }

/** What the attempt reported, and how those before it ended. */
async function historyOf(tx: Db, { evaluationId, benchmarkIndex, attempt }: EndOfAttempt): Promise<History> {
  const [row] = await tx<History[]>`
    select (array_agg(to_jsonb(report)) filter (where attempt = ${attempt}))[1] as report,
      coalesce(json_agg(failure_class order by attempt) filter (where attempt < ${attempt} and failure_class is not null), '[]') as failures
    from evalhub.attempts where evaluation_id = ${evaluationId} and benchmark_index = ${benchmarkIndex}`
  return row ?? { report: null, failures: [] }
}

type Reported = { report: BenchmarkStatusEvent; end: EndOfAttempt; now: string }

function asReported(job: { footprint: number; runs: number }, run: LockedRun, { report, end, now }: Reported): Decision {
  const message = report.error_message?.message ?? end.message
  const whole = applyEvent(run, report, now)
  // It fitted when it was kept; other runs of the job may have ended since.
  const why = whole && tooLarge({ job, before: run, after: whole, benchmarkIndex: run.benchmark_index })
  const after = why === undefined ? whole : applyEvent(run, withoutResults(report, why), now)
  return { runs: after ? [{ ...run, ...after }] : [], endedAttempts: [{ ...endedAttempt(end), failure_class: 'adapter_exit', message }] }
}

function again(run: LockedRun, end: EndOfAttempt, delaySeconds: number): Decision {
  const next = run.attempt + 1
  const waiting = {
    kind: 'retry',
    message: `${end.message} Attempt ${next} will be launched${delaySeconds ? ` in ${delaySeconds} s` : ''}.`,
  }
  return {
    runs: [{ ...run, state: 'pending', attempt: next, phase: null, progress: null, waiting }],
    endedAttempts: [endedAttempt(end)],
    requeue: [{ benchmark_index: end.benchmarkIndex, delaySeconds }],
  }
}
