import { attemptName } from '#shared/domain/attempt-key.ts'
import type { LaunchedObject, Mark } from '../runtime.ts'
import { seenOf, type Ended, type SeenAttempt, type Shown, type Wait, type WaitLimits } from './outcome.ts'
import type { ShownAttempt } from './cluster-view.ts'
import type { SeenJob, SeenPod } from './seen-objects.ts'

/** An attempt whose Job is there. */
export type ObservedJob = Shown & { job: SeenJob }

/** The Jobs that are there, by `attemptName`. What a Job has left behind goes with it, and is nobody's. */
export function jobsOf(attempts: Iterable<ShownAttempt>): Map<string, ObservedJob> {
  return new Map(Array.from(attempts).flatMap(({ shown, ...key }) => (shown.job ? [[attemptName(key), { ...shown, job: shown.job }]] : [])))
}

const MARKS: ReadonlySet<string> = new Set<Mark>(['Pending', 'Running', 'Completed', 'Failed', 'ThresholdViolated'])

/** `toMonotonicMs` takes milliseconds since 1970. */
export function launchedObject(shown: ObservedJob, limits: WaitLimits, toMonotonicMs: (ms: number) => number): LaunchedObject {
  const { job, pods, gone } = shown
  const seen = seenOf(shown, job.benchmarkId, limits)
  const { evaluationId, benchmarkIndex, attempt } = job
  const started = startOf(seen, [...pods, ...gone])
  return {
    evaluationId,
    benchmarkIndex,
    attempt,
    objectUid: job.uid,
    launchedAtMs: toMonotonicMs(job.createdAtMs),
    ...(started && { started: { ...started, atMs: toMonotonicMs(started.atMs) } }),
    ...(seen.phase === 'waiting' && { waiting: waitOf(seen.why) }),
    ...(seen.phase === 'ended' && { end: endOf(seen, toMonotonicMs) }),
    ...(job.phase !== undefined && MARKS.has(job.phase) && { mark: job.phase as Mark }), // it is one of them
    isSealed: job.isSealed,
  }
}

function startOf({ node, onNodeSinceMs }: SeenAttempt, pods: readonly SeenPod[]): LaunchedObject['started'] {
  if (node === undefined || onNodeSinceMs === undefined) return undefined
  const adapter = pods.flatMap(({ containers }) => containers).find(({ name }) => name === 'adapter')
  return { atMs: onNodeSinceMs, node, resources: { ...adapter?.resources } }
}

const waitOf = ({ kind, message, limitSeconds = Infinity }: Wait): NonNullable<LaunchedObject['waiting']> => ({
  kind,
  message,
  limitSeconds,
})

/** What was reported is told by the sidecar before its pod ends, or stands in its log: nothing is on its way any more. */
const endOf = ({ atMs, isDisrupted, end }: Ended, toMonotonicMs: (ms: number) => number): NonNullable<LaunchedObject['end']> => ({
  atMs: toMonotonicMs(atMs),
  outcome: end,
  isDisrupted,
  reportGraceMs: 0,
})
