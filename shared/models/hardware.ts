import { z } from 'zod'
import { DnsLabel, RequiredDnsLabel } from './fields.ts'

/** A batch queue that admits the run. */
export const QueueConfig = z.object({
  /** Absent means `kueue`, the only kind. */
  kind: z
    .string()
    .overwrite((kind) => kind || 'kueue')
    .refine((kind) => kind === 'kueue', { params: { text: 'kind must be one of: kueue' } })
    .meta({ enum: ['kueue'] })
    .default('kueue'),
  name: RequiredDnsLabel,
})

/** A Kubernetes quantity pair, such as `500m` or `2Gi`; checked when the run is launched. */
const Quantity = z.object({ request: z.string().optional(), limit: z.string().optional() })

/** What a run gets to run on: a named profile, or values of its own. */
export const HardwareConfig = z
  .object({
    hardware_profile_name: DnsLabel.optional(),
    queue: QueueConfig.optional(),
    cpu: Quantity.optional(),
    memory: Quantity.optional(),
    /** Of the node's disk, for what the adapter writes anywhere in its container. */
    ephemeral_storage: Quantity.optional(),
    gpu: z.object({ name: z.string().optional(), count: z.int().optional() }).optional(),
  })
  .refine((config) => !config.hardware_profile_name || !(config.queue || config.cpu || config.memory || config.gpu), {
    params: { text: 'hardware_config: hardware_profile_name cannot be combined with queue, cpu, memory, or gpu' },
  })
  .refine((config) => !config.hardware_profile_name || !config.ephemeral_storage, {
    params: { text: 'hardware_config: hardware_profile_name cannot be combined with ephemeral_storage' },
  })
export type HardwareConfig = z.infer<typeof HardwareConfig>
