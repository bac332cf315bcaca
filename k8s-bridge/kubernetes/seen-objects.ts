import type { V1ResourceRequirements } from '@kubernetes/client-node'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'

/**
 * What the bridge keeps of the cluster's objects: names, and what tells how an attempt is doing. Ten thousand of each fit in
 * 20 MB.
 *
 * Times are milliseconds since 1970 by the cluster's clocks.
 */
type Identity = {
  namespace: string
  name: string
  uid: string
  /** `resourceVersion`: changes whenever the object does. */
  version: string
  createdAtMs: number
  /** When it was asked to go; what is under way there may take its grace period. */
  deletedAtMs?: number
}

export type SeenJob = Identity &
  AttemptKey & {
    benchmarkId: string
    /** All that is evidence was kept: it stays for people to look at, and needs nothing more. */
    isSealed: boolean
    /** The label that tells tools which phase the run is in. */
    phase?: string
    isSuspended: boolean
    /** Kueue's queue that it waits in. */
    queue?: string
    /** Absent while it is under way. */
    end?: { atMs: number; isComplete: boolean; reason: string; message: string }
  }

export type SeenPod = Identity &
  AttemptKey & {
    /** Of the Job that made it; absent for what somebody else made. */
    jobUid?: string
    phase: string
    reason?: string
    message?: string
    node?: string
    /** When a kubelet took it on: its deadline counts from here. */
    onNodeSinceMs?: number
    /** When the bridge ends it, in seconds from then. */
    deadlineSeconds?: number
    conditions: readonly SeenCondition[]
    /** Of its volumes: what is in them must stand in no log. */
    secretNames: readonly string[]
    /** Init containers and sidecars first, each in the order of the pod. */
    containers: readonly SeenContainer[]
  }

export type SeenCondition = { type: string; isTrue: boolean; atMs: number; reason: string; message: string }

export type SeenContainer = {
  name: string
  image: string
  restarts: number
  resources?: Pick<V1ResourceRequirements, 'requests' | 'limits'>
  /** True once it runs and, if it has a startup probe, has passed it. */
  isStarted: boolean
  waiting?: { reason: string; message: string }
  runningSinceMs?: number
  ended?: ContainerEnd
  /** Its end before the last restart. */
  endedBefore?: ContainerEnd
}

export type ContainerEnd = { startedAtMs: number; atMs: number; exitCode: number; signal?: number; reason: string; message: string }

/** A warning about an object of ours. */
export type SeenEvent = Omit<Identity, 'deletedAtMs'> & {
  /** Kind, name and uid of the object. */
  about: { kind: string; name: string; uid: string }
  reason: string
  message: string
  firstAtMs: number
  lastAtMs: number
}

/** What Kueue keeps for a Job. */
export type SeenWorkload = Identity & { jobUid: string; conditions: readonly SeenCondition[] }
