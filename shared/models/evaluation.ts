import { z } from 'zod'
import { OCI_PLACE } from '../domain/oci-place.ts'
import { parseHttpUrl, registryHostProblem } from '../domain/url-problem.ts'
import { BenchmarkResult, BenchmarkStatus } from './benchmark-run.ts'
import { BENCHMARKS_MAX, Float32, keptUrl, Name, NotBlank, Opaque, Parameters, PassCriteria, PrimaryScore, Tags } from './fields.ts'
import { HardwareConfig, QueueConfig } from './hardware.ts'
import { Message } from './message.ts'
import { EvaluationState } from './states.ts'
import { TestDataRef } from './test-data.ts'

/** The model under test. */
export const ModelRef = z.object({
  /** Base of an OpenAI-compatible endpoint, such as `http://localhost:11434/v1`. May be empty only if every benchmark uses pre-recorded data. */
  url: keptUrl('model.url', '; name a Secret with its api-key in model.auth.secret_ref')
    .refine((text) => text === '' || parseHttpUrl(text) !== undefined, {
      params: { tag: 'url', rule: 'it must be an http or https URL with a host, such as https://host/v1' },
    })
    .default(''),
  /** Name that the endpoint knows the model by. */
  name: z.string().min(1),
  /** `secret_ref` names a Secret; on a local hub it is a directory with a file `api-key`. Never the key itself. */
  auth: z.object({ secret_ref: z.string().min(1) }).optional(),
  /** Passed to the adapter unread. */
  parameters: Parameters.optional(),
  card_url: keptUrl('model.card_url').optional(),
})
export type ModelRef = z.infer<typeof ModelRef>

/** One benchmark of a request. Its position in the list is its `benchmark_index`. */
export const BenchmarkConfig = z.object({
  id: z.string().min(1),
  provider_id: z.string().min(1),
  /** Share in the job's score; absent and 0 both count as 1. */
  weight: Float32.min(0).optional(),
  /** Absent: the provider's. */
  primary_score: PrimaryScore.optional(),
  /** Absent: the provider's, unless `primary_score` is given here. */
  pass_criteria: PassCriteria.optional(),
  hardware_config: HardwareConfig.optional(),
  /** Passed to the adapter; `num_examples` (a number) limits how many items are evaluated. */
  parameters: Parameters.optional(),
  test_data_ref: TestDataRef.optional(),
})
export type BenchmarkConfig = z.infer<typeof BenchmarkConfig>

/** Which collection to run. `benchmarks` may add parameters to its entries. */
export const CollectionRef = z.object({
  id: z.string().min(1),
  benchmarks: z.array(BenchmarkConfig).max(BENCHMARKS_MAX).optional(),
  /** `updated_at` of the collection when the job was submitted; written by the hub. */
  collection_updated_at: z.string().optional(),
})

const ExperimentTag = z.object({
  key: z.string().min(1).max(250),
  value: z.string().min(1).max(5000),
})

/** The MLflow experiment that the results are logged to. */
export const ExperimentConfig = z.object({
  name: NotBlank,
  tags: z.array(ExperimentTag).max(20).optional(),
  artifact_location: z.string().optional(),
})

const ociPlace = (field: keyof typeof OCI_PLACE) =>
  z.string().refine((text) => text === '' || OCI_PLACE[field].grammar.test(text), {
    params: { text: `exports.oci.coordinates.${field} must be ${OCI_PLACE[field].rule}` },
  })

/** Where an OCI artifact with the run's files goes. */
export const OciCoordinates = z.object({
  /** Host with or without a port, such as `quay.io`; with `http://` before it it is asked in plain HTTP. */
  oci_host: z
    .string()
    .min(1)
    .superRefine((host, context) => {
      const problem = registryHostProblem(host)
      if (problem === undefined) return
      context.addIssue({ code: 'custom', params: { tag: 'hostname', text: `exports.oci.coordinates.oci_host ${problem}` } })
    }),
  oci_repository: ociPlace('oci_repository').min(1),
  oci_tag: ociPlace('oci_tag').optional(),
  oci_subject: z.string().optional(),
  annotations: z.record(z.string(), z.string()).optional(),
})

const OciExport = z
  .object({
    coordinates: OciCoordinates,
    /** Name of a `kubernetes.io/dockerconfigjson` Secret. */
    k8s: z.object({ connection: z.string().min(1) }).optional(),
  })
  .refine(({ coordinates, k8s }) => !k8s || !/^\s*http:/i.test(coordinates.oci_host), {
    params: { text: 'exports.oci: a registry with a connection gets its credentials over https only; write oci_host without http://' },
  })

/** Body of `POST /api/v1/evaluations/jobs`: one model, and either benchmarks or a collection. */
export const EvaluationJobConfig = z
  .object({
    name: Name,
    description: z.string().optional(),
    tags: Tags.optional(),
    model: ModelRef,
    /** Threshold of the job's score. Absent: the collection's, else 0.5. */
    pass_criteria: PassCriteria.optional(),
    benchmarks: z.array(BenchmarkConfig).max(BENCHMARKS_MAX).optional(),
    collection: CollectionRef.optional(),
    experiment: ExperimentConfig.optional(),
    /** Kept and returned unread. */
    custom: Opaque.optional(),
    exports: z.object({ oci: OciExport.optional() }).optional(),
    /** For benchmarks without their own. */
    hardware_config: HardwareConfig.optional(),
    /** Deprecated: use `hardware_config.queue`. */
    queue: QueueConfig.optional(),
  })
  .check(
    z.superRefine(
      ({ benchmarks, collection }, context) => {
        const own = Array.isArray(benchmarks) && benchmarks.length > 0
        const named = Boolean(collection?.id)
        if (own !== named) return
        const tag = own ? 'benchmarks or collection' : 'minimum one benchmark'
        context.addIssue({ code: 'custom', path: ['benchmarks'], params: { tag } })
      },
      // Said together with the failures of single fields, since both must be mended.
      { when: ({ value }) => typeof value === 'object' && value !== null },
    ),
  )
  .meta({ oneOf: [{ required: ['benchmarks'] }, { required: ['collection'] }] })
export type EvaluationJobConfig = z.infer<typeof EvaluationJobConfig>

/** What the hub knows about a stored thing beside its content. */
export const JobResource = z.object({
  /** UUID, newest last. */
  id: z.string(),
  /** Absent where no identity is required and none was given. */
  tenant: z.string().optional(),
  created_at: z.string(),
  /** Absent in the answer to the request that creates the job. */
  updated_at: z.string().optional(),
  owner: z.string().optional(),
  mlflow_experiment_id: z.string().optional(),
})

/** A benchmark that does not count in the job's score. */
const LeftOut = z.object({
  provider_id: z.string(),
  id: z.string(),
  benchmark_index: z.int(),
  message: z.string(),
  message_code: z.enum(['not_a_ratio', 'no_primary_metric', 'no_threshold', 'primary_metric_missing']),
})
export type LeftOut = z.infer<typeof LeftOut>

/** The job's score: the weighted mean of its benchmarks' primary scores. */
export const AggregateTest = z.object({
  score: z.number(),
  threshold: z.number(),
  pass: z.boolean(),
  /** What does not count, and why. Absent if everything does. */
  left_out: z.array(LeftOut).min(1).optional(),
})
export type AggregateTest = z.infer<typeof AggregateTest>

/** An evaluation job, as every route answers it. */
export const EvaluationJob = z.object({
  resource: JobResource,
  status: z.object({
    state: EvaluationState,
    message: Message,
    /** Every benchmark of the job from the start, ordered by `benchmark_index`. */
    benchmarks: z.array(BenchmarkStatus),
  }),
  results: z.object({
    test: AggregateTest.optional(),
    benchmarks: z.array(BenchmarkResult).optional(),
    mlflow_experiment_url: z.string().optional(),
  }),
  ...EvaluationJobConfig.shape,
})
export type EvaluationJob = z.infer<typeof EvaluationJob>
