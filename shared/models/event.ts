import { z } from 'zod'
import { MetricSchema } from './benchmark-run.ts'
import { Float32, Opaque, Timestamp } from './fields.ts'
import { Message } from './message.ts'
import { Phase } from './states.ts'

/** Kinds of metrics that an adapter may name; those of others are numeric. */
const METRICS_SCHEMA_MAX = 10_000

const MetricsSchema = z.array(MetricSchema).max(METRICS_SCHEMA_MAX)

/** What an adapter reports about its run. Repeating an event is safe. */
export const BenchmarkStatusEvent = z
  .object({
    provider_id: z.string().min(1),
    /** The benchmark's id. */
    id: z.string().min(1),
    benchmark_index: z.int().default(0),
    /** `cancelled` is the hub's own word and refused. */
    status: z.enum(['pending', 'running', 'completed', 'failed']),
    phase: Phase.optional(),
    /** Share that is done, 0 to 1. */
    progress: Float32.min(0).max(1).optional(),
    /** Stored with a terminal event only. */
    metrics: Opaque.optional(),
    metrics_schema: MetricsSchema.optional(),
    additional_info: Opaque.optional(),
    artifacts: Opaque.optional(),
    error_message: Message.optional(),
    warning_message: Message.optional(),
    started_at: Timestamp.optional(),
    completed_at: Timestamp.optional(),
    mlflow_run_id: z.string().optional(),
    logs_path: z.string().optional(),
    /** Added by the sidecar: the commit of the test data, 7 to 40 hexadecimal digits. */
    job_meta: z.object({ resolved_sha: z.string().optional() }).optional(),
  })
  .superRefine(({ metrics_schema: schema, metrics }, context) => {
    const names = schema?.map(({ name }) => name) ?? []
    if (new Set(names).size < names.length) {
      context.addIssue({ code: 'custom', path: ['metrics_schema'], params: { tag: 'metrics_schema_duplicate_name' } })
    }
    const strange = names.findIndex((name) => !Object.hasOwn(metrics ?? {}, name))
    if (strange < 0) return
    const field = `metrics_schema[${strange}].name`
    const params = { tag: 'metrics_schema_name_not_in_metrics', field }
    context.addIssue({ code: 'custom', path: ['metrics_schema', strange, 'name'], params })
  })
export type BenchmarkStatusEvent = z.infer<typeof BenchmarkStatusEvent>

/** Body of `POST /api/v1/evaluations/jobs/{id}/events`. */
export const StatusEvent = z.object({ benchmark_status_event: BenchmarkStatusEvent })
export type StatusEvent = z.infer<typeof StatusEvent>
