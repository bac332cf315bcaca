import type { AttemptKey, UnsettledRun } from '#db/queries/unsettled-runs.ts'
import { isTerminal } from '#shared/models/states.ts'
import type { LaunchedObject, RunEnd } from './runtime.ts'

export type Picture = {
  runs: readonly UnsettledRun[]
  objects: readonly LaunchedObject[]
  /** Uids under which something of an earlier bridge may still run. */
  leftovers: ReadonlySet<string>
  /** Name of this bridge, and when it started. Times are milliseconds of the monotonic clock. */
  holder: string
  startedAtMs: number
  nowMs: number
}

export type Action =
  /** The run ends as failed. */
  | { do: 'fail'; run: UnsettledRun; end: RunEnd }
  /** The run gets another attempt. */
  | { do: 'retry'; run: UnsettledRun; end: RunEnd }
  /** What was launched shall end. */
  | { do: 'end'; attempt: AttemptKey }
  /** What was launched is of no interest any more. */
  | { do: 'release'; attempt: AttemptKey }
  /** The run is over: keep the evidence, clean up, and mark it. */
  | { do: 'settle'; run: UnsettledRun; object: LaunchedObject | undefined }

/** An adapter that has reported its end gets this long to leave. */
const leaveMs = 10_000
/** How long a new bridge waits for what an earlier one left behind; that ends by itself at once, unless the uid means another thing by now. */
const leftoverMs = 5_000

/**
 * What to do so that exactly the runs that shall run do, and that each that is over is settled.
 *
 * Pure, and given the whole picture every time: what a pass misses, the next one sees.
 */
export function plan(picture: Picture): Action[] {
  const objects = new Map(picture.objects.map((object) => [keyOf(object), object]))
  const wanted = new Set<LaunchedObject>()
  const forRuns = picture.runs.flatMap((run) => {
    const object = objects.get(keyOf(run))
    if (!object) return withoutObject(run, picture)
    if (!isTerminal(run.state) && run.launch?.objectUid !== object.objectUid) return []
    wanted.add(object)
    return isTerminal(run.state) ? afterEnd(run, object, picture) : underWay(run, object, picture)
  })
  const forUnwanted = picture.objects.filter((object) => !wanted.has(object)).map(discard)
  return [...forRuns, ...forUnwanted]
}

const keyOf = ({ evaluationId, benchmarkIndex, attempt }: AttemptKey) => `${evaluationId}/${benchmarkIndex}/${attempt}`

const discard = (object: LaunchedObject): Action => ({ do: object.end ? 'release' : 'end', attempt: object })

function underWay(run: UnsettledRun, object: LaunchedObject, { nowMs }: Picture): Action[] {
  if (object.end) {
    const { atMs, reportGraceMs, outcome } = object.end
    return nowMs - atMs < reportGraceMs ? [] : [{ do: 'fail', run, end: outcome }]
  }
  // First the words; the next pass sends the signal. What the adapter says about being ended comes too late.
  return isOverdue(run, object, nowMs) ? [{ do: 'fail', run, end: deadlineOf(run) }] : []
}

function afterEnd(run: UnsettledRun, object: LaunchedObject, { nowMs }: Picture): Action[] {
  if (object.end) return [{ do: 'settle', run, object }]
  const hasReported = run.state !== 'cancelled' && !run.isDeleted && !isOverdue(run, object, nowMs)
  const mayLeave = hasReported && (run.finishedSecondsAgo ?? 0) * 1000 < leaveMs
  return mayLeave ? [] : [{ do: 'end', attempt: object }]
}

/** The runtime shows nothing of this attempt: never launched, launched by another bridge, or lost with an earlier one. */
function withoutObject(run: UnsettledRun, picture: Picture): Action[] {
  const isOver = isTerminal(run.state)
  if (!run.launch || run.launch.holder === '') return isOver ? [{ do: 'settle', run, object: undefined }] : []
  if (isElsewhere(run.launch, picture) || isStillLeaving(run.launch, picture)) return []
  return isOver ? [{ do: 'settle', run, object: undefined }] : [{ do: 'retry', run, end: HUB_RESTARTED }]
}

type Launch = NonNullable<UnsettledRun['launch']>

/** Launched by another bridge after this one started: that one is alive, and the run is its own. */
const isElsewhere = ({ holder, secondsAgo }: Launch, picture: Picture) =>
  holder !== picture.holder && secondsAgo * 1000 < picture.nowMs - picture.startedAtMs

const isStillLeaving = ({ objectUid }: Launch, { leftovers, startedAtMs, nowMs }: Picture) =>
  objectUid !== null && leftovers.has(objectUid) && nowMs - startedAtMs < leftoverMs

const isOverdue = ({ deadlineSeconds }: UnsettledRun, { launchedAtMs }: LaunchedObject, nowMs: number) =>
  nowMs - launchedAtMs >= deadlineSeconds * 1000

const HUB_RESTARTED: RunEnd = {
  failureClass: 'hub_restarted',
  message: 'EvalHub was stopped while this attempt ran. It has started the benchmark again.',
}

const deadlineOf = ({ deadlineSeconds, benchmarkId }: UnsettledRun): RunEnd => ({
  failureClass: 'deadline',
  message:
    `Benchmark ${benchmarkId} took longer than its limit of ${deadlineSeconds} s and was ended. ` +
    `Set the benchmark parameter timeout_seconds to allow more, or num_examples to evaluate less.`,
})
