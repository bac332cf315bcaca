import type { V1ContainerStatus, V1Job, V1Pod, V1PodStatus } from '@kubernetes/client-node'
import { setHeaderOptions } from '@kubernetes/client-node'
import { vi } from 'vitest'
import type { KubernetesApi } from './api.ts'

/** What the job controller, the scheduler and a kubelet would do, by hand: for API servers that have none of them. */

const MERGE_PATCH = setHeaderOptions('Content-Type', 'application/merge-patch+json')

/** The Job of an attempt, once there is one. */
export const jobOf = (api: KubernetesApi, namespace: string, evaluationId: string, attempt = 1): Promise<V1Job> =>
  vi.waitFor(() => api.batch.readNamespacedJob({ namespace, name: `evalhub-${evaluationId}-0-${attempt}` }), {
    timeout: 20_000,
    interval: 50,
  })

/** Makes the pod of a Job, on a node, with its adapter running. */
export async function runPod(api: KubernetesApi, job: V1Job): Promise<V1Pod> {
  const { namespace = '', name = '', uid = '' } = job.metadata ?? {}
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true }
  const { metadata, spec } = job.spec!.template
  const pod = await api.core.createNamespacedPod({
    namespace,
    body: { metadata: { ...metadata, generateName: `${name}-`, ownerReferences: [owner] }, spec: { ...spec!, nodeName: 'node-1' } },
  })
  const since = new Date().toISOString()
  return setPod(api, pod, { phase: 'Running', startTime: since as never, ...containers({ running: { startedAt: since as never } }) })
}

/** Ends the adapter, its pod and its Job. */
export async function endPod(api: KubernetesApi, job: V1Job, pod: V1Pod, exitCode: number): Promise<void> {
  const now = new Date().toISOString() as never
  const terminated = { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', startedAt: now, finishedAt: now }
  await setPod(api, pod, { phase: exitCode === 0 ? 'Succeeded' : 'Failed', ...containers({ terminated }) })
  const { namespace = '', name = '' } = job.metadata ?? {}
  const types = exitCode === 0 ? ['SuccessCriteriaMet', 'Complete'] : ['FailureTarget', 'Failed']
  const conditions = types.map((type) => ({ type, status: 'True', lastTransitionTime: now, reason: 'Test', message: '' }))
  const counts = exitCode === 0 ? { succeeded: 1, completionTime: now } : { failed: 1 }
  const body = { status: { startTime: now, conditions, uncountedTerminatedPods: {}, ...counts } }
  await api.batch.patchNamespacedJobStatus({ namespace, name, body }, MERGE_PATCH)
}

/** Takes a Job that is being removed away, as the garbage collector would once its pods are gone. */
export async function collect(api: KubernetesApi, job: V1Job): Promise<void> {
  const { namespace = '', name = '' } = job.metadata ?? {}
  await api.batch.patchNamespacedJob({ namespace, name, body: { metadata: { finalizers: [] } } }, MERGE_PATCH)
}

const containers = (state: V1ContainerStatus['state']): Partial<V1PodStatus> => ({
  containerStatuses: [{ name: 'adapter', image: 'i', imageID: 'i', ready: false, restartCount: 0, started: true, state: state! }],
})

const setPod = (api: KubernetesApi, { metadata }: V1Pod, status: Partial<V1PodStatus>) =>
  api.core.patchNamespacedPodStatus({ namespace: metadata!.namespace!, name: metadata!.name!, body: { status } }, MERGE_PATCH)
