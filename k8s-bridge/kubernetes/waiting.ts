import { jobName } from '#shared/domain/attempt-key.ts'
import { clause, conditionOf, containerNamed } from './ended.ts'
import type { Shown, Wait, WaitLimits } from './outcome.ts'
import type { SeenContainer, SeenEvent, SeenJob, SeenPod, SeenWorkload } from './seen-objects.ts'

/** Why a Job has no pod. */
export function waitForPod(job: SeenJob, { events, workload }: Pick<Shown, 'events' | 'workload'>, limits: WaitLimits): Wait {
  if (job.isSuspended) return waitForQueue(job, workload, limits)
  const refusal = latest(events, ({ about, reason }) => about.kind === 'Job' && reason === 'FailedCreate')
  if (refusal) return refusedPod(refusal, limits)
  return {
    kind: 'starting',
    message:
      `Job ${job.name} waits for Kubernetes to make its pod. ` +
      'If that lasts, the cluster’s controller manager is not at work: tell whoever operates it.',
    sinceMs: job.createdAtMs,
    limitSeconds: limits.capacitySeconds,
  }
}

function waitForQueue(job: SeenJob, workload: SeenWorkload | undefined, limits: WaitLimits): Wait {
  const { queue } = job
  const sinceMs = workload?.createdAtMs ?? job.createdAtMs
  const reserved = conditionOf(workload?.conditions ?? [], 'QuotaReserved')
  const words = reserved && !reserved.isTrue ? reserved.message : ''
  if (/(LocalQueue|ClusterQueue) .*doesn't exist/.test(words)) {
    const hint = 'Name an existing queue in hardware_config.queue.name, or have this one created.'
    const message = `The batch queue does not admit the run: ${clause(words)}. ${hint}`
    return { kind: 'queue_unknown', message, sinceMs, limitSeconds: limits.missingSeconds }
  }
  const where = queue === undefined ? 'The Job is suspended and waits to be resumed' : `The run waits for its turn in batch queue ${queue}`
  return { kind: 'quota', message: `${where}${words ? `: ${clause(words)}` : ''}.`, sinceMs, limitSeconds: limits.queueSeconds }
}

/** Kubernetes was not allowed to make the pod. It tries again and again. */
function refusedPod({ message: words, firstAtMs: sinceMs }: SeenEvent, limits: WaitLimits): Wait {
  const why = clause(words.replace(/^Error creating: (pods "[^"]*" is forbidden: )?/, ''))
  if (words.includes('exceeded quota')) {
    const hint = 'The run starts when there is room; ask for less in hardware_config, or have the quota raised.'
    const message = `The namespace’s quota is used up: ${why}. ${hint}`
    return { kind: 'quota', message, sinceMs, limitSeconds: limits.capacitySeconds }
  }
  if (words.includes('failed calling webhook')) {
    const message = `An admission webhook of the cluster does not answer, so no pod can be made: ${why}. Tell whoever operates the cluster.`
    return { kind: 'rejected', message, sinceMs, limitSeconds: limits.capacitySeconds }
  }
  const missing = /serviceaccount "?([\w.-]+)"? not found|no PriorityClass with name ([\w.-]+)/i.exec(words)
  if (missing) {
    const hint = 'Whoever administers the cluster can create it.'
    const message = `The pod cannot be made, because something that it names is missing: ${why}. ${hint}`
    return { kind: 'missing_config', message, sinceMs, limitSeconds: limits.missingSeconds }
  }
  const hint = 'Change what it objects to in the provider or the request, or have the policy changed.'
  const message = `The cluster refuses the pod: ${why}. ${hint}`
  return { kind: 'rejected', message, sinceMs, limitSeconds: limits.missingSeconds }
}

/** Why a pod’s adapter has not started. */
export function waitOfPod(pod: SeenPod, events: readonly SeenEvent[], limits: WaitLimits): Wait {
  const own = events.filter(({ about }) => about.kind === 'Pod' && about.name === pod.name)
  return (pod.node === undefined ? waitForNode(pod, limits) : undefined) ?? blocked(pod, own, limits) ?? preparing(pod)
}

function waitForNode(pod: SeenPod, limits: WaitLimits): Wait {
  const scheduled = conditionOf(pod.conditions, 'PodScheduled')
  const sinceMs = scheduled?.atMs || pod.createdAtMs
  const words = scheduled?.message ?? ''
  // What follows the first sentence is about preemption, which benchmarks rarely do.
  const why = clause(words.split('. ')[0] ?? '')
  if (scheduled?.reason === 'SchedulingGated') {
    return { kind: 'quota', message: `The pod waits to be admitted to the cluster: ${why}.`, sinceMs, limitSeconds: limits.queueSeconds }
  }
  if (/persistentvolumeclaim "[^"]+" not found|unbound immediate PersistentVolumeClaims|being deleted/.test(words)) {
    const hint = 'Create or bind it in the namespace, or correct test_data_ref.pvc.claim_name.'
    const message = `The volume claim of the test data cannot be used: ${why}. ${hint}`
    return { kind: 'missing_volume', message, sinceMs, limitSeconds: limits.missingSeconds }
  }
  const message = why
    ? `No node can take the pod: ${why}. It starts when one can; ask for less in hardware_config, or have nodes added.`
    : 'The pod waits for a node. If that lasts, the cluster’s scheduler is not at work: tell whoever operates it.'
  return { kind: 'unschedulable', message, sinceMs, limitSeconds: limits.capacitySeconds }
}

/** What stops a pod on its node; undefined if nothing does. */
function blocked(pod: SeenPod, events: readonly SeenEvent[], limits: WaitLimits): Wait | undefined {
  const limitSeconds = limits.missingSeconds
  if (!hasSandbox(pod)) {
    const mount = latest(events, ({ reason }) => reason === 'FailedMount' || reason === 'FailedAttachVolume')
    if (mount) return { ...missing(mount.message, pod), sinceMs: mount.firstAtMs, limitSeconds }
    const sandbox = latest(events, ({ reason }) => reason === 'FailedCreatePodSandBox')
    if (sandbox) {
      const message = `Node ${pod.node} cannot start the pod: ${clause(sandbox.message)}. Tell whoever operates the cluster.`
      return { kind: 'node_lost', message, sinceMs: sandbox.firstAtMs, limitSeconds }
    }
  }
  for (const container of pod.containers) {
    const wait = blockedContainer(container, pod)
    if (!wait) continue
    const about = latest(events, ({ message, reason }) => reason === 'Failed' && message.includes(container.image))
    return { ...wait, sinceMs: about?.firstAtMs ?? readySinceMs(pod), limitSeconds }
  }
  return undefined
}

/** Volumes are mounted before a pod has its sandbox. */
const hasSandbox = ({ conditions, containers }: SeenPod) =>
  conditionOf(conditions, 'PodReadyToStartContainers')?.isTrue ??
  containers.some(({ ended, runningSinceMs }) => ended !== undefined || runningSinceMs !== undefined)

/** When nothing but the waiting container itself was left to start. */
const readySinceMs = ({ containers, onNodeSinceMs, createdAtMs }: SeenPod) =>
  Math.max(onNodeSinceMs ?? createdAtMs, ...containers.map(({ ended, runningSinceMs }) => ended?.atMs ?? runningSinceMs ?? 0))

type Cause = Pick<Wait, 'kind' | 'message'>

const imageReasons = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'InvalidImageName',
  'ImageInspectError',
  'RegistryUnavailable',
])

function blockedContainer(container: SeenContainer, pod: SeenPod): Cause | undefined {
  const { name, image, waiting, restarts, isStarted } = container
  if (name === 'sidecar' && restarts > 0 && !isStarted) return failingSidecar(container)
  if (!waiting) return undefined
  const { reason, message } = waiting
  if (imageReasons.has(reason)) {
    const what = `Image ${image} of the ${name} cannot be pulled (${reason}): ${clause(message)}`
    const hint = name === 'adapter' ? 'Correct the provider’s image, or give the namespace’s service account a pull secret.' : OPERATOR
    return { kind: 'image_pull', message: `${what}. ${hint}` }
  }
  if (reason === 'CreateContainerConfigError' && message.includes('runAsNonRoot')) {
    const hint = 'Benchmarks never run as root. Give the image a numeric USER other than 0.'
    return { kind: 'rejected', message: `Image ${image} of the ${name} is not allowed to run: ${clause(message)}. ${hint}` }
  }
  if (reason === 'CreateContainerConfigError') return missing(message, pod)
  if (reason === 'CreateContainerError' || reason === 'RunContainerError') {
    return { kind: 'rejected', message: `Node ${pod.node} cannot start the ${name} from image ${image}: ${clause(message)}.` }
  }
  return undefined
}

const OPERATOR = 'Tell whoever operates this EvalHub.'

function failingSidecar({ restarts, endedBefore, ended: last }: SeenContainer): Cause {
  const end = last ?? endedBefore
  const how = end ? `, the last time with exit code ${end.exitCode}${end.reason === 'OOMKilled' ? ' for want of memory' : ''}` : ''
  return {
    kind: 'sidecar_failed',
    message: `EvalHub’s sidecar does not get ready: it was restarted (${restarts} so far)${how}. ${OPERATOR}`,
  }
}

/** What a kubelet misses, by its own words: it names the thing, but not what the user calls it. */
function missing(words: string, pod: SeenPod): Cause {
  const why = clause(words.replace(/^MountVolume\.SetUp failed for volume "[^"]*" : /, ''))
  if (words.includes(`${jobName(pod)}-`)) {
    return { kind: 'missing_config', message: `The pod waits for what EvalHub is writing for it: ${why}.` }
  }
  if (/secret/i.test(words)) {
    const hint = 'Create it in the namespace, or correct the name in the request (model.auth.secret_ref, test_data_ref, exports).'
    return { kind: 'missing_secret', message: `A Secret that the run needs is missing or incomplete: ${why}. ${hint}` }
  }
  if (/configmap/i.test(words)) {
    return {
      kind: 'missing_config',
      message: `A ConfigMap that the run needs is missing or incomplete: ${why}. Create it in the namespace.`,
    }
  }
  const hint = 'Check the claim of test_data_ref.pvc and the storage behind it.'
  return { kind: 'missing_volume', message: `A volume of the pod cannot be mounted: ${why}. ${hint}` }
}

/** Nothing is amiss: what the pod is at. */
function preparing(pod: SeenPod): Wait {
  const sinceMs = readySinceMs(pod)
  const on = `on node ${pod.node}`
  const init = containerNamed(pod, 'init')
  if (init?.runningSinceMs !== undefined) return { kind: 'starting', message: `The init container fetches the test data ${on}.`, sinceMs }
  const next = pod.containers.find(({ ended, isStarted }) => !ended && !isStarted)
  const what = next ? `the ${next.name} from image ${next.image}, which may have to be pulled first` : 'the adapter'
  return { kind: 'starting', message: `The pod is ${on} and starts ${what}.`, sinceMs }
}

function latest(events: readonly SeenEvent[], isWanted: (event: SeenEvent) => boolean): SeenEvent | undefined {
  return events.filter(isWanted).toSorted((one, other) => other.lastAtMs - one.lastAtMs)[0]
}
