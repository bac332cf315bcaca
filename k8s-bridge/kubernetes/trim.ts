import type { CoreV1Event, V1ContainerStatus, V1Job, V1ObjectMeta, V1Pod } from '@kubernetes/client-node'
import { JOB_NAME_PREFIX } from '#shared/domain/attempt-key.ts'
import { overtimeSeconds } from './attempt.ts'
import { attemptOf, benchmarkIdOf, PHASE_LABEL, QUEUE_LABEL, SEALED_LABEL } from './labels.ts'
import type { ContainerEnd, SeenCondition, SeenContainer, SeenEvent, SeenJob, SeenPod, SeenWorkload } from './seen-objects.ts'

/** How long after a pod’s end a kubelet may take to let it go. */
const kubeletSeconds = 30

/** What others write may be long; a sentence has room for so much of it. */
const textMax = 1000

/** Undefined: it is no Job of an attempt. */
export function trimJob({ metadata = {}, spec, status }: V1Job): SeenJob | undefined {
  const identity = identityOf(metadata)
  const key = attemptOf(metadata.labels)
  if (!identity || !key) return undefined
  const phase = metadata.labels?.[PHASE_LABEL]
  const queue = metadata.labels?.[QUEUE_LABEL]
  const end = status?.conditions?.find(({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True')
  return {
    ...identity,
    ...key,
    benchmarkId: benchmarkIdOf(metadata.annotations),
    isSealed: metadata.labels?.[SEALED_LABEL] === 'true',
    ...(phase !== undefined && { phase }),
    isSuspended: spec?.suspend ?? false,
    ...(queue !== undefined && { queue }),
    ...(end && {
      end: {
        atMs: msOf(end.lastTransitionTime),
        isComplete: end.type === 'Complete',
        reason: end.reason ?? '',
        message: text(end.message),
      },
    }),
  }
}

/** Undefined: it is no pod of an attempt. `before` is what was kept of it last: only that tells when its deletion had begun. */
export function trimPod({ metadata = {}, spec, status = {} }: V1Pod, before?: SeenPod): SeenPod | undefined {
  const identity = identityOf(metadata)
  const key = attemptOf(metadata.labels)
  if (!identity || !key) return undefined
  const jobUid = metadata.ownerReferences?.find(({ kind, controller }) => kind === 'Job' && controller)?.uid
  const { phase, reason, message, startTime, conditions = [], initContainerStatuses = [], containerStatuses = [] } = status
  const specs = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])]
  const statuses = new Map([...initContainerStatuses, ...containerStatuses].map((container) => [container.name, container]))
  return {
    ...identity,
    ...key,
    ...(jobUid !== undefined && { jobUid }),
    ...(before?.deletedAtMs !== undefined && { deletedAtMs: before.deletedAtMs }),
    phase: phase ?? 'Pending',
    ...(reason && { reason }),
    ...(message && { message: text(message) }),
    ...(spec?.nodeName && { node: spec.nodeName }),
    ...(startTime && { onNodeSinceMs: msOf(startTime) }),
    ...(spec?.activeDeadlineSeconds !== undefined && { deadlineSeconds: spec.activeDeadlineSeconds - overtimeSeconds }),
    conditions: conditions.map(trimCondition),
    secretNames: secretNamesOf(spec),
    containers: specs.map(({ name, image = '', resources: { requests, limits } = {} }) => ({
      ...trimContainer(name, statuses.get(name)),
      image,
      ...((requests || limits) && { resources: { ...(requests && { requests }), ...(limits && { limits }) } }),
    })),
  }
}

function secretNamesOf(spec: V1Pod['spec']): string[] {
  const names = (spec?.volumes ?? []).flatMap(({ secret, projected }) => [
    secret?.secretName,
    ...(projected?.sources ?? []).map((source) => source.secret?.name),
  ])
  return [...new Set(names.filter((name) => name !== undefined))]
}

/** Undefined: it is about no object that may be ours. */
export function trimEvent(event: CoreV1Event): SeenEvent | undefined {
  const identity = identityOf(event.metadata)
  const { kind, name, uid } = event.involvedObject
  if (!identity || !kind || !name?.includes(JOB_NAME_PREFIX)) return undefined
  const firstAtMs = msOf(event.firstTimestamp ?? event.eventTime) || identity.createdAtMs
  return {
    ...identity,
    about: { kind, name, uid: uid ?? '' },
    reason: event.reason ?? '',
    message: text(event.message),
    firstAtMs,
    lastAtMs: msOf(event.series?.lastObservedTime ?? event.lastTimestamp) || firstAtMs,
  }
}

/** As much of Kueue's Workload as its versions have in common. */
export type RawWorkload = { metadata?: V1ObjectMeta; status?: { conditions?: RawCondition[] } }

/** Undefined: it belongs to no Job that may be ours. */
export function trimWorkload({ metadata = {}, status }: RawWorkload): SeenWorkload | undefined {
  const identity = identityOf(metadata)
  const owner = metadata.ownerReferences?.find(({ kind, name }) => kind === 'Job' && name.startsWith(JOB_NAME_PREFIX))
  return identity && owner && { ...identity, jobUid: owner.uid, conditions: (status?.conditions ?? []).map(trimCondition) }
}

type RawTime = Date | string | null | undefined
type RawCondition = { type: string; status: string; lastTransitionTime?: RawTime; reason?: string; message?: string }

/** The API server writes times as text; the typed client makes dates of them. */
const msOf = (time: RawTime): number => (time ? new Date(time).getTime() : 0)

const text = (words: string | undefined) => (words ?? '').slice(0, textMax)

function identityOf({ namespace, name, uid, resourceVersion, creationTimestamp, deletionTimestamp, ...rest }: V1ObjectMeta) {
  if (!namespace || !name || !uid) return undefined
  // The time stamp of a deletion is when its grace period ends; at the end of a pod the kubelet sets it anew, without one.
  const graceMs = (rest.deletionGracePeriodSeconds || kubeletSeconds) * 1000
  return {
    namespace,
    name,
    uid,
    version: resourceVersion ?? '',
    createdAtMs: msOf(creationTimestamp),
    ...(deletionTimestamp && { deletedAtMs: msOf(deletionTimestamp) - graceMs }),
  }
}

const trimCondition = ({ type, status, lastTransitionTime, reason, message }: RawCondition): SeenCondition => ({
  type,
  isTrue: status === 'True',
  atMs: msOf(lastTransitionTime),
  reason: reason ?? '',
  message: text(message),
})

function trimContainer(name: string, status: V1ContainerStatus | undefined): Omit<SeenContainer, 'image'> {
  const { waiting, running, terminated } = status?.state ?? {}
  const before = status?.lastState?.terminated
  return {
    name,
    restarts: status?.restartCount ?? 0,
    isStarted: status?.started ?? false,
    ...(waiting && { waiting: { reason: waiting.reason ?? '', message: text(waiting.message) } }),
    ...(running && { runningSinceMs: msOf(running.startedAt) }),
    ...(terminated && { ended: trimEnd(terminated) }),
    ...(before && { endedBefore: trimEnd(before) }),
  }
}

type RawEnd = NonNullable<NonNullable<V1ContainerStatus['state']>['terminated']>

const trimEnd = ({ startedAt, finishedAt, exitCode, signal, reason, message }: RawEnd): ContainerEnd => ({
  startedAtMs: msOf(startedAt),
  atMs: msOf(finishedAt),
  exitCode,
  ...(signal && { signal }),
  reason: reason ?? '',
  message: text(message),
})
