import type { V1Toleration } from '@kubernetes/client-node'
import { z } from 'zod'
import { readQuantity } from './quantity.ts'

/** A request and a limit, each absent where the profile or job leaves it to the provider. */
export type Share = { request?: string | undefined; limit?: string | undefined }

/** What a run gets to run on, however that was said; each part that is there replaces the provider's. */
export type HardwareProfile = {
  cpu?: Share | undefined
  memory?: Share | undefined
  ephemeral_storage?: Share | undefined
  gpu?: { name?: string | undefined; count?: number | undefined } | undefined
  nodes?: { selector: Record<string, string>; tolerations: V1Toleration[] } | undefined
  queue?: { name: string; priorityClass?: string | undefined } | undefined
}

const Count = z
  .union([z.string(), z.number()])
  .transform((count) => (typeof count === 'number' ? String(Math.trunc(count)) : count.trim()))
  .refine((count) => count === '' || readQuantity(count) !== undefined, { error: 'is no quantity' })

const Identifier = z.object({
  identifier: z.string(),
  resourceType: z.string().nullish(),
  defaultCount: Count.nullish(),
  maxCount: Count.nullish(),
})

const Scheduling = z.object({
  type: z.string().nullish(),
  kueue: z.object({ localQueueName: z.string().nullish(), priorityClass: z.string().nullish() }).nullish(),
  node: z
    .object({
      nodeSelector: z.record(z.string(), z.string()).nullish(),
      // Passed on unread: Kubernetes says what is wrong with one.
      tolerations: z.array(z.custom<V1Toleration>((value) => typeof value === 'object' && value !== null)).nullish(),
    })
    .nullish(),
})

const Profile = z.object({
  metadata: z.object({ annotations: z.record(z.string(), z.string()).nullish() }),
  spec: z.object({ identifiers: z.array(Identifier).nullish(), scheduling: Scheduling.nullish() }),
})

/**
 * What a HardwareProfile (`infrastructure.opendatahub.io/v1`) says, or, in the contract's words, why it cannot be used: it is switched off,
 * or malformed. Source: contract 8.8.
 */
export function readHardwareProfile(name: string, object: unknown): HardwareProfile | { unusable: string } {
  const parsed = Profile.safeParse(object)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return { unusable: `The hardware profile '${name}' is invalid: ${issue?.path.join('.')} ${issue?.message}` }
  }
  const { metadata, spec } = parsed.data
  if (metadata.annotations?.['opendatahub.io/disabled']?.toLowerCase() === 'true') {
    return { unusable: `The hardware profile '${name}' is disabled. Choose another one, or ask the administrator of the cluster.` }
  }
  const identifiers = spec.identifiers ?? []
  const accelerator = identifiers.findLast(isAccelerator)
  return {
    cpu: shareOf(identifiers.findLast((one) => one.resourceType === 'CPU' || one.identifier === 'cpu')),
    memory: shareOf(identifiers.findLast((one) => one.resourceType === 'Memory' || one.identifier === 'memory')),
    ephemeral_storage: shareOf(identifiers.findLast((one) => one.identifier === 'ephemeral-storage')),
    gpu: accelerator && { name: accelerator.identifier, count: Math.trunc(readQuantity(accelerator.defaultCount ?? '') ?? 0) },
    ...placeOf(spec.scheduling),
  }
}

const isAccelerator = ({ identifier, resourceType }: z.infer<typeof Identifier>) =>
  resourceType === 'Accelerator' ||
  !(['CPU', 'Memory'].includes(resourceType ?? '') || ['cpu', 'memory', 'ephemeral-storage'].includes(identifier))

const shareOf = (found: z.infer<typeof Identifier> | undefined): Share | undefined =>
  found && { request: found.defaultCount || undefined, limit: found.maxCount || undefined }

function placeOf(scheduling: z.infer<typeof Scheduling> | null | undefined): Pick<HardwareProfile, 'nodes' | 'queue'> {
  if (scheduling?.type === 'Node') {
    const { nodeSelector, tolerations } = scheduling.node ?? {}
    return { nodes: { selector: nodeSelector ?? {}, tolerations: tolerations ?? [] } }
  }
  const name = scheduling?.type === 'Queue' ? scheduling.kueue?.localQueueName : undefined
  if (!name) return {}
  const priorityClass = scheduling?.kueue?.priorityClass ?? ''
  return { queue: { name, ...(!/^(none)?$/i.test(priorityClass) && { priorityClass }) } }
}
