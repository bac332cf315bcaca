import { setHeaderOptions } from '@kubernetes/client-node'
import type { BenchmarkTest } from '#shared/models/benchmark-run.ts'
import type { Mark } from '../runtime.ts'
import { answerOf } from './api-answer.ts'
import { metadataOnly, type KubernetesApi } from './api.ts'
import { HUB_LABEL, SEALED_LABEL } from './labels.ts'
import type { ObservedJob } from './observe.ts'
import type { SeenJob } from './seen-objects.ts'
import { markEvent, markPatch } from './signals.ts'

/** What is done to Jobs that were seen. Each may be repeated; a Job that is gone, or another of its name, is left alone. */

/** Once its evidence is kept, a Job stays so long for people to look at. */
const sealedTtlSeconds = 3600
/** What a pod that is not wanted any more may take to end; its own grace is for adapters whose results are. */
const graceSeconds = 30

const MERGE_PATCH = metadataOnly(setHeaderOptions('Content-Type', 'application/merge-patch+json'))

/** Ends a Job and its pods, and takes all away that it owns. */
export async function removeJob(api: KubernetesApi, shown: ObservedJob): Promise<void> {
  const { namespace, name, uid } = shown.job
  // The pods first: Kubernetes would give them all of their own grace with the Job, which cannot be shortened any more.
  await removePods(api, shown)
  const ownJob = { propagationPolicy: 'Foreground', preconditions: { uid } }
  await api.batch.deleteNamespacedJob({ namespace, name, body: ownJob }).catch(unlessOther)
}

/** Ends the pods of a Job, which then fails, makes no other, and stays. */
export async function removePods({ core }: KubernetesApi, { job: { namespace }, pods }: ObservedJob): Promise<void> {
  for (const pod of pods) {
    const own = { gracePeriodSeconds: graceSeconds, preconditions: { uid: pod.uid } }
    await core.deleteNamespacedPod({ namespace, name: pod.name, body: own }).catch(unlessOther)
  }
}

/** True for one that is being removed; if it is `toBeSeen`, for one whose pods are. */
export const isLeaving = ({ job, pods }: ObservedJob, toBeSeen: boolean): boolean =>
  (toBeSeen || job.deletedAtMs !== undefined) && pods.every((pod) => pod.deletedAtMs !== undefined)

/** Marks a Job as one that needs nothing more, and lets Kubernetes remove it after a while. */
export async function sealJob({ batch }: KubernetesApi, { namespace, name }: SeenJob): Promise<void> {
  const body = { metadata: { labels: { [SEALED_LABEL]: 'true' } }, spec: { ttlSecondsAfterFinished: sealedTtlSeconds } }
  await batch.patchNamespacedJob({ namespace, name, body }, MERGE_PATCH).catch(unlessOther)
}

/** Shows a run's phase on its Job, then tells it as an Event. If that is cut off in between, the Event is lost: it is only news. */
export async function markJob(
  { batch, core }: KubernetesApi,
  job: SeenJob,
  mark: Mark,
  test: BenchmarkTest | null,
  now: Date,
): Promise<void> {
  const { namespace, name } = job
  await batch.patchNamespacedJob({ namespace, name, body: markPatch(job, mark, now) }, MERGE_PATCH).catch(unlessOther)
  const event = markEvent(job, mark, test, now)
  if (event) await core.createNamespacedEvent({ namespace, body: event }, metadataOnly())
}

/** Whether the API server has pods of a Job, seen or not. */
export async function hasPods({ core }: KubernetesApi, { namespace, uid }: SeenJob): Promise<boolean> {
  const labelSelector = `${HUB_LABEL},batch.kubernetes.io/controller-uid=${uid}`
  const { items } = await core.listNamespacedPod({ namespace, labelSelector, limit: 1 })
  return items.length > 0
}

/** Undefined for one that is not there. */
export async function findJobUid({ batch }: KubernetesApi, namespace: string, name: string): Promise<string | undefined> {
  const job = await batch.readNamespacedJob({ namespace, name }).catch(unlessOther)
  return job?.metadata?.uid
}

function unlessOther(error: unknown): undefined {
  if ([404, 409].includes(answerOf(error)?.code ?? 0)) return undefined
  throw error
}
