import type { Ended, SeenEnd } from './outcome.ts'
import type { ContainerEnd, SeenCondition, SeenContainer, SeenJob, SeenPod, SeenWorkload } from './seen-objects.ts'

const VANISHED: SeenEnd = {
  failureClass: 'vanished',
  message: 'The Job of this attempt, or its pod, was deleted by somebody other than EvalHub before the benchmark had ended.',
}

/** Words of others, so that our sentence can go on after them. */
export const clause = (words: string): string => words.trim().replace(/\.$/, '')

export const containerNamed = (pod: SeenPod, name: string): SeenContainer | undefined => pod.containers.find((one) => one.name === name)

export const conditionOf = (conditions: readonly SeenCondition[], type: string): SeenCondition | undefined =>
  conditions.find((condition) => condition.type === type)

/** True for a pod in which nothing will happen any more, as far as anyone can tell. */
export const isOver = (pod: SeenPod): boolean => isFinished(pod) || isOnLostNode(pod)

const isFinished = ({ phase }: SeenPod) => phase === 'Succeeded' || phase === 'Failed'

/**
 * True for a pod whose node does not answer: it was condemned for that, and will be as it is until the node is back.
 *
 * A kubelet that says so itself gives a reason; the control plane, which speaks for one that is silent, gives none.
 */
function isOnLostNode({ conditions }: SeenPod): boolean {
  const ready = conditionOf(conditions, 'Ready')
  const isSilent = ready !== undefined && !ready.isTrue && ready.reason === ''
  return isSilent && disruptionOf(conditions)?.reason === 'DeletionByTaintManager'
}

const disruptionOf = (conditions: readonly SeenCondition[]) => conditions.find(({ type, isTrue }) => type === 'DisruptionTarget' && isTrue)

/** How an attempt ended whose pod is over, gone, or on a lost node. */
export function endOfPod(pod: SeenPod, benchmarkId: string): Ended {
  const lastMs = endOfContainers(pod)
  const disruption = disruptionOf(pod.conditions)
  const outside = endFromOutside(pod, disruption, lastMs)
  const atMs = lastMs || pod.deletedAtMs || disruption?.atMs || pod.onNodeSinceMs || pod.createdAtMs
  return { atMs, isDisrupted: outside !== undefined, end: outside ?? endFromInside(pod, benchmarkId) }
}

const endOfContainers = ({ containers }: SeenPod) => Math.max(0, ...containers.map(({ ended }) => ended?.atMs ?? 0))

/** How an attempt ended of which only its Job is left, or nothing. */
export function endOfJob(job: SeenJob | undefined, benchmarkId: string): Ended {
  const { end } = job ?? {}
  const atMs = end?.atMs ?? job?.deletedAtMs ?? 0
  if (end?.isComplete) return { atMs, isDisrupted: false, end: silentEnd(benchmarkId) }
  const isDisruption = end?.reason === 'PodFailurePolicy' && end.message.includes('DisruptionTarget')
  return { atMs, isDisrupted: true, end: isDisruption ? evicted(end.message) : VANISHED }
}

/** How an attempt ended whose Job a batch queue has suspended while it ran. */
export function endByQueue(pod: SeenPod, { queue }: SeenJob, workload: SeenWorkload | undefined): Ended {
  const eviction = conditionOf(workload?.conditions ?? [], 'Evicted')
  const words = eviction?.message || (queue === undefined ? 'its Job was suspended' : `batch queue ${queue} suspended its Job`)
  return { atMs: endOfContainers(pod) || pod.deletedAtMs || pod.createdAtMs, isDisrupted: true, end: preempted(words) }
}

/** What ended the pod before it would have ended by itself; undefined if nothing did. */
function endFromOutside(pod: SeenPod, disruption: SeenCondition | undefined, lastMs: number): SeenEnd | undefined {
  const { reason = '', message = '', node = 'unknown', deletedAtMs } = pod
  if (reason === 'DeadlineExceeded' || wasDeletedAtDeadline(pod)) return deadlineOf(pod)
  const hadEnded = (atMs: number) => isFinished(pod) && lastMs > 0 && lastMs < atMs
  if (disruption && !hadEnded(disruption.atMs)) return disrupted(pod, disruption)
  if (reason === 'Evicted') return evicted(message)
  if (reason === 'Preempting') return preempted(message)
  if (reason === 'NodeLost' || reason === 'Terminated' || reason === 'NodeShutdown') return nodeLost(node, message)
  if (deletedAtMs !== undefined && !hadEnded(deletedAtMs)) return VANISHED
  if (!isFinished(pod)) return VANISHED
  if (pod.containers.some(({ ended }) => ended?.reason === 'ContainerStatusUnknown'))
    return nodeLost(node, 'it came back without its containers')
  const hasRun = pod.containers.some(({ ended, restarts }) => ended !== undefined || restarts > 0)
  return hasRun ? undefined : evicted(`Node ${node} refused the pod: ${reason} ${message}`.trim())
}

/** The API server's clock and the kubelet's, both in whole seconds, need not agree. */
const clocksMs = 2000

/** Whoever deletes a pod that is past its deadline does what the bridge does. */
const wasDeletedAtDeadline = ({ deletedAtMs = 0, onNodeSinceMs = Infinity, deadlineSeconds = Infinity }: SeenPod): boolean =>
  deletedAtMs + clocksMs >= onNodeSinceMs + deadlineSeconds * 1000

function disrupted(pod: SeenPod, { reason, message }: SeenCondition): SeenEnd {
  const { node = 'unknown' } = pod
  const words = pod.message ?? message
  if (isOnLostNode(pod) || reason === 'DeletionByPodGC') return nodeLost(node, words)
  if (reason === 'PreemptionByScheduler' || pod.reason === 'Preempting') return preempted(words)
  if (reason === 'TerminationByKubelet' && pod.reason !== 'Evicted') return nodeLost(node, words)
  return evicted(words)
}

/** The kubelet's words for a pod that wrote more than its containers and volumes may: it would do so again. */
const OWN_LIMIT = /^Usage of EmptyDir volume|exceeded its local ephemeral storage limit|usage exceeds the total limit of containers/

function outOfStorage(words: string): SeenEnd {
  const hint = words.includes('"test-data"')
    ? 'Name less test data, or have the operator of this EvalHub raise TEST_DATA_MAX_BYTES.'
    : words.includes('"termination-file-volume"')
      ? 'Let the adapter write to /shared no more than a few files, and the rest to /data.'
      : 'Set hardware_config.ephemeral_storage.limit of the benchmark or runtime.k8s.ephemeral_storage_limit of its provider to give it more ' +
        '(for those without, the operator of this EvalHub sets ADAPTER_STORAGE), or evaluate less at once.'
  return { failureClass: 'out_of_storage', message: `The benchmark wrote more to its node’s disk than it may: ${clause(words)}. ${hint}` }
}

function evicted(words: string): SeenEnd {
  if (OWN_LIMIT.test(words)) return outOfStorage(words)
  const hint = /low on resource: ephemeral-storage/.test(words)
    ? 'Ask for the storage that the benchmark needs in hardware_config.ephemeral_storage.request.'
    : /low on resource: memory/.test(words)
      ? 'Ask for the memory that the benchmark needs in hardware_config.memory.request.'
      : 'Nothing is wrong with the benchmark.'
  return { failureClass: 'evicted', message: `The cluster took the pod off its node: ${clause(words)}. ${hint}` }
}

const preempted = (words: string): SeenEnd => ({
  failureClass: 'preempted',
  message: `The pod had to make room for more important work: ${clause(words)}. A higher priority class, or quieter hours, prevent that.`,
})

const nodeLost = (node: string, words: string): SeenEnd => ({
  failureClass: 'node_lost',
  message: `Node ${node}, on which the benchmark ran, was lost or shut down: ${clause(words)}.`,
})

const deadlineOf = ({ deadlineSeconds, onNodeSinceMs }: SeenPod): SeenEnd => ({
  failureClass: 'deadline',
  message:
    `The benchmark took longer than its limit of ${deadlineSeconds ?? 'unknown'} s` +
    `${onNodeSinceMs ? ` (its pod was on a node since ${new Date(onNodeSinceMs).toISOString()})` : ''} and was ended. ` +
    'Set the benchmark parameter timeout_seconds to allow more, or num_examples to evaluate less.',
})

/** The first of the pod’s containers that went wrong. */
function endFromInside(pod: SeenPod, benchmarkId: string): SeenEnd {
  const [init, sidecar, adapter] = ['init', 'sidecar', 'adapter'].map((name) => containerNamed(pod, name))
  if (init?.ended && init.ended.exitCode !== 0) return initFailed(init.ended)
  if (!adapter?.ended) return sidecarFailed(sidecar, 'before the adapter could start')
  if (adapter.ended.reason === 'OOMKilled') return oom(adapter, benchmarkId)
  if (adapter.ended.reason === 'StartError' || adapter.ended.reason === 'ContainerCannotRun') return startError(adapter, benchmarkId)
  if (sidecar && wasRestartedSince(sidecar, adapter.ended.startedAtMs)) return sidecarFailed(sidecar, 'while the adapter needed it')
  if (adapter.ended.exitCode !== 0) return adapterExit(adapter.ended, benchmarkId)
  return sidecar?.ended && sidecar.ended.exitCode !== 0
    ? sidecarFailed(sidecar, 'before it had delivered the results')
    : silentEnd(benchmarkId)
}

const wasRestartedSince = ({ restarts, ended, runningSinceMs }: SeenContainer, sinceMs: number) =>
  restarts > 0 && (ended?.startedAtMs ?? runningSinceMs ?? 0) >= sinceMs

function initFailed({ exitCode, reason }: ContainerEnd): SeenEnd {
  const how = reason === 'OOMKilled' ? 'ran out of memory' : `ended with exit code ${exitCode}`
  return {
    failureClass: 'init_failed',
    message: `The test data could not be fetched: the init container ${how}. Check test_data_ref and the Secret that it names.`,
    exitCode,
    speaker: 'init',
  }
}

function oom({ resources, ended }: SeenContainer, benchmarkId: string): SeenEnd {
  const limit = resources?.limits?.['memory']
  return {
    failureClass: 'oom',
    message:
      `The adapter of benchmark ${benchmarkId} needed more memory than its limit${limit ? ` of ${limit}` : ''} and was ended. ` +
      'Set hardware_config.memory.limit of the benchmark to give it more, or evaluate less at once.',
    ...(ended && { exitCode: ended.exitCode }),
    speaker: 'adapter',
  }
}

function sidecarFailed(sidecar: SeenContainer | undefined, when: string): SeenEnd {
  const last = sidecar?.endedBefore ?? sidecar?.ended
  const how = last ? `, with exit code ${last.exitCode}${last.reason === 'OOMKilled' ? ' for want of memory' : ''}` : ''
  return {
    failureClass: 'sidecar_failed',
    message: `EvalHub’s sidecar ended ${when}${how}. If it happens again, tell whoever operates this EvalHub.`,
    speaker: 'sidecar',
  }
}

function startError({ image, ended }: SeenContainer, benchmarkId: string): SeenEnd {
  const why = clause(ended?.message ?? '')
  return {
    failureClass: 'adapter_exit',
    message: `The adapter of benchmark ${benchmarkId} could not be started from image ${image}: ${why}. Check the provider’s entrypoint.`,
    ...(ended && { exitCode: ended.exitCode }),
  }
}

function adapterExit({ exitCode, signal }: ContainerEnd, benchmarkId: string): SeenEnd {
  const how = signal ? `was ended by signal ${signal}` : `ended with exit code ${exitCode}`
  return {
    failureClass: 'adapter_exit',
    message: `The adapter of benchmark ${benchmarkId} ${how} before it reported results.`,
    exitCode,
    speaker: 'adapter',
  }
}

const silentEnd = (benchmarkId: string): SeenEnd => ({
  failureClass: 'adapter_exit',
  message: `The adapter of benchmark ${benchmarkId} ended without reporting results.`,
  exitCode: 0,
  speaker: 'adapter',
})
