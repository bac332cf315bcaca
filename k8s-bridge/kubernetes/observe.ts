import type { AttemptKey } from '#db/queries/unsettled-runs.ts'
import type { LaunchedObject, Mark } from '../runtime.ts'
import { seenOf, type Ended, type SeenAttempt, type Shown, type Wait, type WaitLimits } from './outcome.ts'
import type { SeenEvent, SeenJob, SeenPod, SeenWorkload } from './seen-objects.ts'

/** The copies that the reflectors keep. */
export type Copies = {
  jobs: Iterable<SeenJob>
  pods: Iterable<SeenPod>
  /** Pods that are no more there. */
  gonePods: Iterable<SeenPod>
  events: Iterable<SeenEvent>
  workloads: Iterable<SeenWorkload>
}

/** A Job of ours with all that belongs to it. */
export type ObservedJob = Shown & { job: SeenJob }

/** The Jobs that are there, by `nameOf` their attempt. */
export function joinCopies({ jobs, pods, gonePods, events, workloads }: Copies): Map<string, ObservedJob> {
  const podsOf = Map.groupBy(pods, attemptNameOf)
  const goneOf = Map.groupBy(gonePods, attemptNameOf)
  const eventsOf = Map.groupBy(events, ({ namespace, about }) => `${namespace}/${about.name}`)
  const workloadOf = new Map(Array.from(workloads, (workload) => [workload.jobUid, workload]))
  const about = (namespace: string, name: string) => eventsOf.get(`${namespace}/${name}`) ?? []
  return new Map(
    Array.from(jobs, (job) => {
      const own = podsOf.get(attemptNameOf(job)) ?? []
      const gone = goneOf.get(attemptNameOf(job)) ?? []
      const told = [job.name, ...[...own, ...gone].map(({ name }) => name)].flatMap((name) => about(job.namespace, name))
      return [nameOf(job), { job, pods: own, gone, events: told, workload: workloadOf.get(job.uid) }]
    }),
  )
}

/** Names an attempt in this process. */
export const nameOf = ({ evaluationId, benchmarkIndex, attempt }: AttemptKey): string => `${evaluationId}/${benchmarkIndex}/${attempt}`

const attemptNameOf = (object: SeenJob | SeenPod) => `${object.namespace}/${nameOf(object)}`

const MARKS: ReadonlySet<string> = new Set<Mark>(['Pending', 'Running', 'Completed', 'Failed', 'ThresholdViolated'])

/** `toMonotonicMs` takes milliseconds since 1970. */
export function launchedObject(shown: ObservedJob, limits: WaitLimits, toMonotonicMs: (ms: number) => number): LaunchedObject {
  const { job, pods, gone } = shown
  const seen = seenOf(shown, job.benchmarkId, limits)
  const { evaluationId, benchmarkIndex, attempt } = job
  const started = startOf(seen, [...pods, ...gone])
  return {
    ...{ evaluationId, benchmarkIndex, attempt },
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

const waitOf = ({ kind, message, limitSeconds = Infinity }: Wait): LaunchedObject['waiting'] => ({ kind, message, limitSeconds })

/** What was reported is told by the sidecar before its pod ends, or stands in its log: nothing is on its way any more. */
const endOf = ({ atMs, isDisrupted, end }: Ended, toMonotonicMs: (ms: number) => number): NonNullable<LaunchedObject['end']> => ({
  atMs: toMonotonicMs(atMs),
  outcome: end,
  isDisrupted,
  reportGraceMs: 0,
})
