import type { V1ResourceRequirements, V1Toleration } from '@kubernetes/client-node'
import { testDataRoom } from '#shared/domain/test-data-room.ts'
import type { Attempt } from './attempt.ts'
import type { HardwareProfile, Share } from './hardware-profile.ts'
import { grown, plus, readQuantity } from './quantity.ts'
import type { ContainerSize, KubernetesSettings } from './settings.ts'

/** What the adapter gets, and where its pod may go. */
export type Placement = {
  resources: V1ResourceRequirements
  /** Of `/data`, a quantity. */
  dataSize: string
  /** Left to the queue where there is one. */
  nodeSelector?: Record<string, string>
  tolerations?: V1Toleration[]
  queue?: { name: string; priorityClass?: string | undefined }
}

/** By how much more memory each attempt gets after one that ran out of it. */
const oomFactor = 1.5

/**
 * Combines provider, hardware profile or the job's own values, the deprecated queue of the job, and the memory that earlier attempts lacked.
 * Source: contract 8.8. Quantities are well-formed: `refusalOf` has seen them.
 */
export function placementOf(attempt: Attempt, settings: KubernetesSettings, profile: HardwareProfile | undefined): Placement {
  const { spec, request, oomFailures } = attempt
  const { hardware_config: inline } = spec
  const wanted: HardwareProfile = profile ?? inline ?? {}
  const queue = wanted.queue ?? request.queue
  const provider = ofProvider(attempt, settings)
  const memory = joined(provider.memory, wanted.memory)
  const storage = joinedStorage(settings.sizes.adapter.storage, provider.storage, wanted.ephemeral_storage)
  const grow = (quantity: string) => grown(quantity, oomFactor ** oomFailures, settings.memoryRetryMax)
  const resources = requirements({
    cpu: joined(provider.cpu, wanted.cpu),
    memory: { request: grow(memory.request), limit: grow(memory.limit) },
    // The pod is held to the limits of its containers together, and the test data are in it.
    storage: { request: storage.request, limit: plus(storage.limit, isFetched(attempt) ? testDataBytes(settings) : 0) },
    gpu: { name: wanted.gpu?.name || provider.gpu.name, count: wanted.gpu?.count || provider.gpu.count },
  })
  const dataSize = storage.limit
  if (queue) return { resources, dataSize, queue }
  const { selector, tolerations } = wanted.nodes ?? { selector: provider.nodeSelector, tolerations: [] }
  return {
    resources,
    dataSize,
    ...(Object.keys(selector).length > 0 && { nodeSelector: selector }),
    ...(tolerations.length > 0 && { tolerations }),
  }
}

/** What a container that is not the adapter gets. */
export const fixedResources = (size: ContainerSize): V1ResourceRequirements => requirements({ ...size, gpu: {} })

const isFetched = ({ spec: { test_data_ref: data } }: Attempt) => data !== undefined && !data.pvc

/** What test data take of a disk at most. */
export const testDataBytes = ({ testData }: KubernetesSettings): number => testDataRoom(testData)

function ofProvider({ spec }: Attempt, { sizes: { adapter } }: KubernetesSettings) {
  const { CPURequest, CPULimit, MemoryRequest, MemoryLimit, EphemeralStorageRequest, EphemeralStorageLimit, gpu } = spec.runtime.k8s ?? {}
  const hasGpu = gpu !== undefined && gpu.count > 0
  return {
    cpu: joined(adapter.cpu, { request: CPURequest, limit: CPULimit }),
    memory: joined(adapter.memory, { request: MemoryRequest, limit: MemoryLimit }),
    storage: { request: EphemeralStorageRequest, limit: EphemeralStorageLimit },
    gpu: hasGpu ? { name: gpu.resource, count: gpu.count } : {},
    nodeSelector: (hasGpu && gpu.node_selector) || {},
  }
}

const joined = (base: Required<Share>, own: Share | undefined) => ({
  request: own?.request?.trim() || base.request || '',
  limit: own?.limit?.trim() || base.limit || '',
})

/** Where only one of request and limit is given, the hub's other gives way: a limit of 100Mi is no reason to refuse the pod. */
function joinedStorage(base: Required<Share>, provider: Share, own: Share | undefined) {
  const request = own?.request?.trim() || provider.request?.trim() || ''
  const ownLimit = own?.limit?.trim() || provider.limit?.trim()
  const limit = ownLimit || sorted(base.limit, request)[1]
  return { request: request || sorted(base.request, limit)[0], limit }
}

/** Two quantities, the smaller first. */
function sorted(one = '', other = ''): [string, string] {
  return (readQuantity(one) ?? 0) <= (readQuantity(other) ?? 0) ? [one, other] : [other, one]
}

type Wanted = ContainerSize & { gpu: { name?: string | undefined; count?: number | undefined } }

function requirements({ cpu, memory, storage, gpu: { name, count } }: Wanted): V1ResourceRequirements {
  const gpu = name && count !== undefined && count > 0 ? { [name]: String(count) } : {}
  return {
    requests: { cpu: cpu.request, memory: memory.request, 'ephemeral-storage': storage.request, ...gpu },
    limits: { cpu: cpu.limit, memory: memory.limit, 'ephemeral-storage': storage.limit, ...gpu },
  }
}

/** The first quantity of provider or job that is none, with the field that holds it. */
export function findBadQuantity({ spec }: Pick<Attempt, 'spec'>): { field: string; value: string } | undefined {
  const { CPURequest, CPULimit, MemoryRequest, MemoryLimit, EphemeralStorageRequest, EphemeralStorageLimit } = spec.runtime.k8s ?? {}
  const { cpu, memory, ephemeral_storage: storage } = spec.hardware_config ?? {}
  const fields = {
    'runtime.k8s.cpu_request': CPURequest,
    'runtime.k8s.cpu_limit': CPULimit,
    'runtime.k8s.memory_request': MemoryRequest,
    'runtime.k8s.memory_limit': MemoryLimit,
    'runtime.k8s.ephemeral_storage_request': EphemeralStorageRequest,
    'runtime.k8s.ephemeral_storage_limit': EphemeralStorageLimit,
    'hardware_config.cpu.request': cpu?.request,
    'hardware_config.cpu.limit': cpu?.limit,
    'hardware_config.memory.request': memory?.request,
    'hardware_config.memory.limit': memory?.limit,
    'hardware_config.ephemeral_storage.request': storage?.request,
    'hardware_config.ephemeral_storage.limit': storage?.limit,
  }
  for (const [field, text] of Object.entries(fields)) {
    const value = text?.trim() ?? ''
    if (value !== '' && readQuantity(value) === undefined) return { field, value }
  }
  return undefined
}
