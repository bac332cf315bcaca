import type { WaitingRun } from '#db/commands/note-waiting.ts'
import type { StartedAttempt } from '#db/commands/note-start.ts'
import type { UnsettledRun } from '#db/queries/unsettled-runs.ts'
import { attemptName, type AttemptKey } from '#shared/domain/attempt-key.ts'
import { isTerminal } from '#shared/models/states.ts'
import type { EndedObject, LaunchedObject, Mark, RunEnd, Runtime } from './runtime.ts'

export type Picture = {
  runs: readonly UnsettledRun[]
  /** Undefined while the runtime cannot be seen. */
  objects: readonly LaunchedObject[] | undefined
  /** Milliseconds of the monotonic clock. */
  nowMs: number
  runtime: Pick<Runtime, 'absence' | 'leaveMs' | 'deadlineSlackMs'>
}

export type Action =
  /** The attempt is over, for this reason if its adapter gave none. Of what is lost nothing is seen any more. */
  | { do: 'conclude'; run: UnsettledRun; end: RunEnd; isDisrupted: boolean; object: EndedObject | undefined; isLost: boolean }
  /** The user is told why the run has not started. */
  | { do: 'note waiting'; waiting: WaitingRun }
  /** The attempt is on a machine. */
  | { do: 'note start'; started: StartedAttempt }
  /** What was launched shall show the state of its run. */
  | { do: 'mark'; run: UnsettledRun; object: LaunchedObject; mark: Mark }
  /** What was launched shall end. What is to be seen stays until its end was noted. */
  | { do: 'end'; attempt: AttemptKey; toBeSeen: boolean }
  /** What was launched is of no interest any more; or it never was any run's, and is not kept. */
  | { do: 'release'; object: LaunchedObject; isKept: boolean }
  /** The run is over: keep the evidence, clean up, and mark it. */
  | { do: 'settle'; run: UnsettledRun; object: LaunchedObject | undefined }

/**
 * What to do so that exactly the runs that shall run do, that each that does not says why, and that each that is over is settled.
 *
 * Pure, and given the whole picture every time: what a pass misses, the next one sees.
 */
export function plan(picture: Picture): Action[] {
  if (!picture.objects) return blind(picture)
  const objects = new Map(picture.objects.map((object) => [attemptName(object), object]))
  const runs = new Set(picture.runs.map(runKeyOf))
  const wanted = new Set<LaunchedObject>()
  const forRuns = picture.runs.flatMap((run) => {
    const object = objects.get(attemptName(run))
    if (!object) return withoutObject(run, picture)
    if (!isTerminal(run.state) && isOther(run, object)) return []
    wanted.add(object)
    if (isTerminal(run.state)) return afterEnd(run, object, picture)
    // Not yet recorded: whoever launched it is about to, or the next claim will adopt it.
    return run.launch ? underWay(run, object, picture) : []
  })
  const forOthers = picture.objects.filter((object) => !wanted.has(object) && !object.isSealed)
  return [...forRuns, ...forOthers.map((object) => discard(object, runs.has(runKeyOf(object))))]
}

/** Without seeing the runtime, only what is far beyond its deadline is known to be over. */
const blind = (picture: Picture) =>
  picture.runs.filter((run) => !isTerminal(run.state) && isOverdue(run, picture)).map((run) => conclude(run, deadlineOf(run)))

const runKeyOf = ({ evaluationId, benchmarkIndex }: Omit<AttemptKey, 'attempt'>) => `${evaluationId}/${benchmarkIndex}`

/** Something else was recorded as launched for the attempt: this one is nobody's. */
const isOther = ({ launch }: UnsettledRun, { objectUid }: LaunchedObject) =>
  launch !== null && ![null, objectUid].includes(launch.objectUid)

/** An earlier attempt of a run that goes on is evidence; what belongs to no unsettled run is not. */
const discard = (object: LaunchedObject, isEarlierAttempt: boolean): Action =>
  object.end ? { do: 'release', object, isKept: isEarlierAttempt } : { do: 'end', attempt: object, toBeSeen: false }

const conclude = (run: UnsettledRun, end: RunEnd, { object, isLost = false }: { object?: EndedObject; isLost?: boolean } = {}): Action => ({
  do: 'conclude',
  run,
  end,
  isDisrupted: object?.end.isDisrupted ?? true,
  object,
  isLost,
})

function underWay(run: UnsettledRun, object: LaunchedObject, picture: Picture): Action[] {
  if (hasEnded(object)) {
    const { atMs, reportGraceMs, outcome } = object.end
    // A clock that is behind the platform's sees an end that is yet to come.
    return Math.max(0, picture.nowMs - atMs) < reportGraceMs ? [] : [conclude(run, outcome, { object })]
  }
  // First the words; the next pass sends the signal. What the adapter says about being ended comes too late.
  if (isOverdue(run, picture)) return [conclude(run, deadlineOf(run))]
  if (isPastDeadline(run)) return [...mark(run, object), { do: 'end', attempt: object, toBeSeen: true }]
  const { kind, message, limitSeconds } = object.waiting ?? STARTING
  if (kind !== 'starting' && run.waiting?.kind === kind && run.waiting.sinceSecondsAgo >= limitSeconds) {
    return [conclude(run, { failureClass: kind, message: `${message} ${patienceOf(limitSeconds)}` })]
  }
  return [...noteStart(run, object, picture), ...noteWaiting(run, object), ...mark(run, object)]
}

/** How long something was waited for, in the largest unit that is whole. */
export function patienceOf(seconds: number): string {
  const [size, unit] =
    seconds % 86_400 === 0 ? [86_400, 'd'] : seconds % 3600 === 0 ? [3600, 'h'] : seconds % 60 === 0 ? [60, 'min'] : [1, 's']
  return `EvalHub waited ${seconds / size} ${unit} for that to change.`
}

function noteStart(run: UnsettledRun, { started }: LaunchedObject, { nowMs }: Picture): Action[] {
  if (!started || run.launch?.startedSecondsAgo !== null) return []
  const { evaluationId, benchmarkIndex, attempt } = run
  const { atMs, node, resources } = started
  // Clocks differ and jump: it cannot have been there before it was launched, nor later than now.
  const startedSecondsAgo = Math.max(0, Math.min((nowMs - atMs) / 1000, run.launch.secondsAgo))
  return [{ do: 'note start', started: { evaluationId, benchmarkIndex, attempt, node, resources, startedSecondsAgo } }]
}

const STARTING = { kind: 'starting', message: 'The adapter has been started and has not reported yet.', limitSeconds: Infinity } as const

function noteWaiting(run: UnsettledRun, object: LaunchedObject): Action[] {
  const { kind, message } = object.waiting ?? STARTING
  if (run.state !== 'pending' || (kind === run.waiting?.kind && message === run.waiting.message)) return []
  const { evaluationId, benchmarkIndex, attempt } = run
  return [{ do: 'note waiting', waiting: { evaluationId, benchmarkIndex, attempt, waiting: { kind, message } } }]
}

const hasEnded = (object: LaunchedObject): object is EndedObject => object.end !== undefined

const MARKS = { pending: 'Pending', running: 'Running', completed: 'Completed', failed: 'Failed', cancelled: undefined } as const

function mark(run: UnsettledRun, object: LaunchedObject): Action[] {
  const wanted = run.test?.pass === false ? 'ThresholdViolated' : MARKS[run.state]
  if (!object.mark || !wanted || object.mark === wanted || (wanted === 'Pending' && object.mark === 'Running')) return []
  return [{ do: 'mark', run, object, mark: wanted }]
}

function afterEnd(run: UnsettledRun, object: LaunchedObject, picture: Picture): Action[] {
  const marked = mark(run, object)
  if (object.end) return [...marked, { do: 'settle', run, object }]
  const hasReported = run.state !== 'cancelled' && !run.isDeleted && !object.waiting && !isOverdue(run, picture)
  const mayLeave = hasReported && (run.finishedSecondsAgo ?? 0) * 1000 < picture.runtime.leaveMs
  return mayLeave ? marked : [...marked, { do: 'end', attempt: object, toBeSeen: false }]
}

/** The runtime shows nothing of this attempt: never launched, launched by another bridge, or lost. */
function withoutObject(run: UnsettledRun, picture: Picture): Action[] {
  const isOver = isTerminal(run.state)
  const settle: Action = { do: 'settle', run, object: undefined }
  if (!run.launch || (isOver && run.launch.holder === '')) return isOver ? [settle] : []
  const end = picture.runtime.absence(run)
  if (end === 'unknown') return []
  return [isOver ? settle : conclude(run, end, { isLost: true })]
}

const isPastDeadline = ({ launch, deadlineSeconds }: UnsettledRun) => (launch?.startedSecondsAgo ?? 0) >= deadlineSeconds

/** By the database's clock, and whether or not the runtime can be seen. */
const isOverdue = ({ launch, deadlineSeconds }: UnsettledRun, { runtime }: Picture) =>
  (launch?.startedSecondsAgo ?? 0) * 1000 >= deadlineSeconds * 1000 + runtime.deadlineSlackMs

const deadlineOf = ({ deadlineSeconds, benchmarkId }: UnsettledRun): RunEnd => ({
  failureClass: 'deadline',
  message:
    `Benchmark ${benchmarkId} took longer than its limit of ${deadlineSeconds} s and was ended. ` +
    `Set the benchmark parameter timeout_seconds to allow more, or num_examples to evaluate less.`,
})
