import type { FailureClass } from '#shared/domain/failure-class.ts'
import type { RunEnd } from '../runtime.ts'
import { containerNamed, endByQueue, endOfJob, endOfPod, isOver } from './ended.ts'
import type { SeenEvent, SeenJob, SeenPod, SeenWorkload } from './seen-objects.ts'
import { waitForPod, waitOfPod } from './waiting.ts'

/** All that the cluster shows of one attempt. */
export type Shown = {
  /** Absent: there is none (any more). */
  job: SeenJob | undefined
  /** Pods of the Job. */
  pods: readonly SeenPod[]
  /** Pods of the Job that are no more there, as they were last seen. */
  gone: readonly SeenPod[]
  /** Warnings about the Job and its pods; others are passed over. */
  events: readonly SeenEvent[]
  workload?: SeenWorkload | undefined
}

/** How long an attempt may wait for what. */
export type WaitLimits = {
  /** An image, a Secret, a volume, and whatever else somebody has to put right. */
  missingSeconds: number
  /** Room in the cluster or in the namespace's quota. */
  capacitySeconds: number
  /** A turn in a batch queue. */
  queueSeconds: number
}

/** Why an attempt has not started. */
export type Wait = {
  /** What it will fail of if it waits too long; `starting` if nothing is amiss. */
  kind: FailureClass | 'starting'
  /** What it waits for and what to do about it, for the user; free of secrets. */
  message: string
  sinceMs: number
  /** Absent: only the pod's own deadline ends it. */
  limitSeconds?: number
}

export type SeenEnd = RunEnd & {
  failureClass: FailureClass
  /** Whose last lines belong to the message, see `withLastLines`. Absent: they would tell nothing. */
  speaker?: 'adapter' | 'init' | 'sidecar'
}

/** It has not ended. */
type Underway =
  | { phase: 'waiting'; why: Wait }
  | {
      phase: 'running'
      startedAtMs: number
      /** The adapter has ended, and the sidecar delivers what it reported. */
      adapterEndedAtMs?: number
    }

export type Ended = {
  /** 0 if it is long ago. */
  atMs: number
  /** Something from outside ended the pod (a deletion, an eviction, its deadline): what the adapter said last may be about that. */
  isDisrupted: boolean
  /** What it means if no report came. */
  end: SeenEnd
}

/** What Kubernetes shows of one attempt. Times are milliseconds since 1970 by the cluster's clocks. */
export type SeenAttempt = {
  node?: string
  /** When its pod was on a node: its deadline counts from here. */
  onNodeSinceMs?: number
} & (Underway | ({ phase: 'ended' } & Ended))

/** What Kubernetes shows of one attempt. Pure, and the same at every look as long as the cluster shows the same. */
export function seenOf(shown: Shown, benchmarkId: string, limits: WaitLimits): SeenAttempt {
  const pod = newest(shown.pods)
  const last = pod ?? newest(shown.gone)
  const place = { ...(last?.node && { node: last.node }), ...(last?.onNodeSinceMs && { onNodeSinceMs: last.onNodeSinceMs }) }
  if (pod && !isOver(pod)) return { ...place, ...underWay(pod, shown.events, limits) }
  const { job } = shown
  if (job && !job.end && job.deletedAtMs === undefined) {
    const end = last && endUnderJob(last, pod !== undefined, job, shown, benchmarkId)
    return end ? { ...place, phase: 'ended', ...end } : { phase: 'waiting', why: waitForPod(job, shown, limits) }
  }
  return { ...place, phase: 'ended', ...(last ? endOfPod(last, benchmarkId) : endOfJob(job, benchmarkId)) }
}

const newest = (pods: readonly SeenPod[]) => pods.toSorted((one, other) => other.createdAtMs - one.createdAtMs)[0]

function underWay(pod: SeenPod, events: readonly SeenEvent[], limits: WaitLimits): Underway {
  const adapter = containerNamed(pod, 'adapter')
  const startedAtMs = adapter?.runningSinceMs ?? (adapter?.ended && (adapter.ended.startedAtMs || adapter.ended.atMs))
  if (startedAtMs === undefined) return { phase: 'waiting', why: waitOfPod(pod, events, limits) }
  return { phase: 'running', startedAtMs, ...(adapter?.ended && { adapterEndedAtMs: adapter.ended.atMs }) }
}

/** How an attempt ended whose Job does not know it yet; undefined if the Job may yet make another pod, and nothing has run so far. */
function endUnderJob(pod: SeenPod, isThere: boolean, job: SeenJob, { workload }: Shown, benchmarkId: string): Ended | undefined {
  const hasRun = containerNamed(pod, 'adapter')?.ended !== undefined || containerNamed(pod, 'adapter')?.runningSinceMs !== undefined
  if (!job.isSuspended) return isThere || hasRun ? endOfPod(pod, benchmarkId) : undefined
  // A queue that takes back what it gave suspends the Job, which would run again later as the same attempt.
  return hasRun ? endByQueue(pod, job, workload) : undefined
}
