import type {
  V1ConfigMap,
  V1Container,
  V1Job,
  V1ObjectMeta,
  V1OwnerReference,
  V1PodFailurePolicy,
  V1PodSpec,
  V1Secret,
  V1Volume,
} from '@kubernetes/client-node'
import { jobName } from '#shared/domain/attempt-key.ts'
import { jobSpecFor } from '#shared/domain/job-spec.ts'
import { adapterContainer } from './adapter-container.ts'
import {
  modelOf,
  namespaceOf,
  overtimeSeconds,
  secretName,
  SIDECAR_URL,
  specName,
  throughSidecar,
  type Attempt,
  type Surroundings,
} from './attempt.ts'
import { annotationsFor, labelsFor, QUEUE_LABEL } from './labels.ts'
import { placementOf, type Placement } from './resources.ts'
import { RESTRICTED_POD } from './security.ts'
import type { KubernetesSettings } from './settings.ts'
import { runTokenKey, sidecarConfigFor, sidecarContainer } from './sidecar-container.ts'
import { initContainer } from './test-data.ts'
import type { Mounted } from './volumes.ts'

/** Longer than the sidecar may need to hand over the last events of a hub that is restarting. */
const terminationGraceSeconds = 600

/** The Job that carries out one attempt. Pure: the same attempt, settings and surroundings give the same Job. */
export function jobFor(attempt: Attempt, settings: KubernetesSettings, surroundings: Surroundings): V1Job {
  const placement = placementOf(attempt, settings, surroundings.profile)
  const metadata = {
    labels: { ...labelsFor(attempt, settings), ...queueLabels(placement.queue) },
    annotations: annotationsFor(attempt),
  }
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: jobName(attempt), namespace: namespaceOf(attempt, settings), ...metadata },
    spec: {
      backoffLimit: 0, // attempts are counted in the database, where people can see them
      podFailurePolicy: FAIL_WITH_REASON,
      ttlSecondsAfterFinished: settings.ttlSeconds,
      template: { metadata, spec: podFor(attempt, settings, surroundings, placement) },
    },
  }
}

/** Every failure fails the Job, as it would without: but the Job's condition then names the container and its exit code, even when the pod is gone. */
const FAIL_WITH_REASON: V1PodFailurePolicy = {
  rules: [
    { action: 'FailJob', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    { action: 'FailJob', onExitCodes: { operator: 'NotIn', values: [0] } },
  ],
}

const queueLabels = (queue: Placement['queue']): Record<string, string> => ({
  ...(queue && { [QUEUE_LABEL]: queue.name }),
  ...(queue?.priorityClass && { 'kueue.x-k8s.io/priority-class': queue.priorityClass }),
})

const secondsMax = 2 ** 31 - 1

function podFor(attempt: Attempt, settings: KubernetesSettings, surroundings: Surroundings, placement: Placement): V1PodSpec {
  const { nodeSelector, tolerations } = placement
  const adapter = adapterContainer(attempt, settings, surroundings, placement)
  const init = initContainer(attempt, settings)
  const sidecar = sidecarContainer(attempt, settings, surroundings, placement)
  const { imagePullSecrets, instanceName, namespace } = settings
  return {
    restartPolicy: 'Never',
    // From the moment that the pod is on a node: time spent waiting for one is not the run's.
    activeDeadlineSeconds: Math.min(Math.ceil(attempt.spec.deadline_seconds) + overtimeSeconds, secondsMax),
    terminationGracePeriodSeconds: terminationGraceSeconds,
    automountServiceAccountToken: false, // benchmark code is not ours
    // Variables such as VLLM_PORT, which a tenant's Service would put into the adapter, change how frameworks start.
    enableServiceLinks: false,
    ...(instanceName && { serviceAccountName: `${instanceName}-${namespace}-job` }),
    ...(imagePullSecrets.length > 0 && { imagePullSecrets: imagePullSecrets.map((name) => ({ name })) }),
    ...(nodeSelector && { nodeSelector }),
    ...(tolerations && { tolerations }),
    securityContext: RESTRICTED_POD,
    initContainers: [...(init ? [init.container] : []), sidecar.container] satisfies V1Container[],
    containers: [adapter.container],
    volumes: volumesOf([...adapter.mounted, ...(init?.mounted ?? []), ...sidecar.mounted]),
  }
}

function volumesOf(mounted: readonly Mounted[]): V1Volume[] {
  const volumes = mounted.map(({ volume }) => volume)
  return volumes.filter(({ name }, index) => volumes.findIndex((other) => other.name === name) === index)
}

/** What the adapter and its sidecar are told. Immutable, so that no kubelet has to watch it. */
export function specFor(attempt: Attempt, settings: KubernetesSettings, surroundings: Surroundings, jobUid: string): V1ConfigMap {
  const model = modelOf(attempt)
  const request = model ? { ...attempt.request, model: { ...model, url: throughSidecar(model.url) } } : attempt.request
  const job = jobSpecFor({ ...attempt, request, callbackUrl: SIDECAR_URL })
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: ownedMetadata(specName(attempt), attempt, settings, jobUid),
    immutable: true,
    data: {
      'job.json': JSON.stringify(job, null, 2),
      'sidecar_config.json': JSON.stringify(sidecarConfigFor(attempt, settings, surroundings), null, 2),
    },
  }
}

/** The run token, which only the sidecar mounts, and the references, which only the adapter does. No credential of a model is in it. */
export function secretFor(
  attempt: Attempt,
  settings: KubernetesSettings,
  { modelSecret }: Surroundings,
  { jobUid, runToken }: { jobUid: string; runToken: string },
): V1Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: ownedMetadata(secretName(attempt), attempt, settings, jobUid),
    type: 'Opaque',
    immutable: true,
    stringData: { [runTokenKey]: runToken, ...modelSecret?.references },
  }
}

function ownedMetadata(name: string, attempt: Attempt, settings: KubernetesSettings, jobUid: string): V1ObjectMeta {
  const owner: V1OwnerReference = { apiVersion: 'batch/v1', kind: 'Job', name: jobName(attempt), uid: jobUid, controller: true }
  return {
    name,
    namespace: namespaceOf(attempt, settings),
    labels: labelsFor(attempt, settings),
    annotations: annotationsFor(attempt),
    ownerReferences: [owner],
  }
}
