import type { FailureClass } from '#shared/domain/failure-class.ts'
import type { RunEnd } from '../runtime.ts'
import type { SeenEvent, SeenJob, SeenPod, SeenWorkload } from './seen-objects.ts'

/** All that the cluster shows of one attempt. */
export type Shown = {
  /** Absent: there is none (any more). */
  job: SeenJob | undefined
  /** Pods of the Job, those that have gone lately too, as they were last seen. */
  pods: readonly SeenPod[]
  /** Warnings about the Job, its pods and its workload; others are passed over. */
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

/** What Kubernetes shows of one attempt. Times are milliseconds since 1970 by the cluster's clocks. */
export type SeenAttempt = { node?: string; /** When its pod was on a node: its deadline counts from here. */ onNodeSinceMs?: number } & (
  | { phase: 'waiting'; why: Wait }
  | {
      phase: 'running'
      startedAtMs: number
      /** The adapter has ended, and the sidecar delivers what it reported. */
      adapterEndedAtMs?: number
    }
  | {
      phase: 'ended'
      atMs: number
      /** Its pod was deleted, evicted or lost before it had ended: what the adapter said last may be about that. */
      isDisrupted: boolean
      /** What it means if no report came. */
      end: SeenEnd
    }
)
