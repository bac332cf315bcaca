import { z } from 'zod'
import { AddressRanges, Count, Duration, Flag, HttpUrl, HttpUrls, Names, RunTokenKey } from '#shared/models/setting.ts'
import type { TestDataLimits } from '../test-data-source.ts'
import type { WaitLimits } from './outcome.ts'
import { readQuantity } from './quantity.ts'
import { DEFAULT_SIZES, type ContainerSize, type KubernetesSettings } from './settings.ts'

const INIT_MEMORY_MIN = readQuantity(DEFAULT_SIZES.init.memory.request) ?? 0

/** Settings of the runtime `kubernetes`. Those that it cannot do without are asked for by `lacks`. */
export const kubernetesFields = {
  EVALHUB_IMAGE: z.string().optional().meta({
    path: 'service.eval_init_image',
    description: 'runtime `kubernetes`: EvalHub’s own image, with which sidecars and init containers run',
  }),
  EVALHUB_IMAGE_PULL_POLICY: z
    .enum(['Always', 'IfNotPresent', 'Never'], 'must be Always, IfNotPresent or Never')
    .default('IfNotPresent')
    .meta({ path: 'kubernetes.image_pull_policy', description: 'when that image is pulled' }),
  IMAGE_PULL_SECRETS: Names.prefault('').meta({
    path: 'kubernetes.image_pull_secrets',
    description: 'Secrets in the tenants’ namespaces with which images are pulled',
  }),
  FUNCTIONS_URL: HttpUrl.optional().meta({ path: 'sidecar.eval_hub.base_url', description: 'where sidecars reach the functions' }),
  HUB_URLS: HttpUrls.prefault('').meta({
    path: 'sidecar.eval_hub.other_urls',
    description:
      'where the hub is to be had besides, such as https://evalhub.ns.svc:8443, separated by commas: no URL of a job leads there',
  }),
  FUNCTIONS_BEHIND_GATEWAY: Flag.default(false).meta({
    path: 'sidecar.eval_hub.behind_gateway',
    description: 'whether the address of `FUNCTIONS_URL` is a gateway’s that leads to models too; runs then know the hub by its name only',
  }),
  RUN_TOKEN_KEY: RunTokenKey.optional().meta({
    path: 'identity.run_token_key',
    description: 'key of run tokens, the same for functions and bridge (secret)',
  }),
  EVALHUB_NAMESPACE: z.string().default('evalhub').meta({ path: 'kubernetes.namespace', description: 'EvalHub’s own namespace' }),
  EVALHUB_INSTANCE_NAME: z.string().optional().meta({
    path: 'kubernetes.instance_name',
    description: 'name of an installation that an operator made; pods then use its service accounts and authorities',
  }),
  EVALHUB_HARDWARE_PROFILES_NAMESPACE: z.string().optional().meta({
    path: 'kubernetes.hardware_profiles_namespace',
    description: 'where HardwareProfiles are; without it runs that name one fail',
  }),
  WATCHED_NAMESPACES: Names.prefault('').meta({
    path: 'kubernetes.namespaces',
    description: 'the tenants’ namespaces, if the bridge may not look into all; empty: all',
  }),
  RUNS_MAX: Count.default(200).meta({ path: 'kubernetes.runs_max', description: 'runs under way at once' }),
  RUNS_PER_TENANT_MAX: Count.default(50).meta({
    path: 'kubernetes.runs_per_tenant_max',
    description: 'runs of one tenant under way at once',
  }),
  FOLLOWED_LOGS_MAX: Count.default(200).meta({
    path: 'kubernetes.followed_logs_max',
    description: 'adapters whose logs are at most 2 s old; those of others are 30 s',
  }),
  WAIT_MISSING: Duration.prefault('10m').meta({
    path: 'kubernetes.wait.missing',
    description: 'how long a run waits for an image, a Secret or a volume before it fails',
  }),
  WAIT_CAPACITY: Duration.prefault('24h').meta({ path: 'kubernetes.wait.capacity', description: 'the same for a node or a quota' }),
  WAIT_QUEUE: Duration.prefault('168h').meta({ path: 'kubernetes.wait.queue', description: 'the same for a batch queue' }),
  MEMORY_RETRY_MAX: z
    .string()
    .refine((text) => readQuantity(text) !== undefined, 'must be a Kubernetes quantity such as 32Gi')
    .default('32Gi')
    .meta({ path: 'kubernetes.memory_retry_max', description: 'memory up to which an attempt grows after earlier ones ran out of it' }),
  ADAPTER_STORAGE: z
    .string()
    .refine((text) => (readQuantity(text) ?? 0) > 0, 'must be a Kubernetes quantity such as 20Gi')
    .default(DEFAULT_SIZES.adapter.storage.limit)
    .meta({
      path: 'kubernetes.adapter_storage',
      description: 'what an adapter may write to its node’s disk, test data apart, where neither provider nor job says',
    }),
  MLFLOW_TRACKING_URI: HttpUrl.optional().meta({
    path: 'mlflow.tracking_uri',
    description: 'MLflow, which sidecars pass adapters’ calls on to',
  }),
  MLFLOW_CA_CERT_PATH: z.string().optional().meta({
    path: 'mlflow.ca_cert_path',
    description: 'PEM file in the containers of a run with which MLflow is trusted, where the tenant has no bundle of its own',
  }),
  MLFLOW_TOKEN_AUDIENCE: z.string().optional().meta({
    path: 'mlflow.token_audience',
    description: 'audience of the service account’s token that MLflow is shown; unless set that of the Kubernetes API: see below',
  }),
  HF_ENDPOINT: HttpUrl.optional().meta({
    path: 'kubernetes.hf_endpoint',
    description: 'Hugging Face hub that test data comes from; the public one unless set',
  }),
  TEST_DATA_RANGES: AddressRanges.prefault('').meta({
    path: 'kubernetes.test_data_ranges',
    description:
      'inner address ranges, such as 10.1.0.0/16, from which test data may come all the same; they open neither the Kubernetes API, nor metadata services, nor EvalHub',
  }),
  TEST_DATA_TIMEOUT: Duration.prefault('1h').meta({ path: 'kubernetes.test_data_timeout', description: 'for test data to be fetched' }),
  TEST_DATA_MAX_BYTES: Count.default(50 * 1024 ** 3).meta({
    path: 'kubernetes.test_data_max_bytes',
    description: 'bytes of test data at most',
  }),
  TEST_DATA_MAX_FILES: Count.default(100_000).meta({ path: 'kubernetes.test_data_max_files', description: 'files of test data at most' }),
  TEST_DATA_MEMORY: z
    .string()
    .refine(
      (text) => (readQuantity(text) ?? 0) >= INIT_MEMORY_MIN,
      `must be a Kubernetes quantity of ${DEFAULT_SIZES.init.memory.request} or more`,
    )
    .default(DEFAULT_SIZES.init.memory.limit)
    .meta({
      path: 'kubernetes.test_data_memory',
      description: 'memory of the init container; an object of a git repository that must be held whole may have a twelfth of it',
    }),
  MODEL_RANGES: AddressRanges.prefault('').meta({
    path: 'kubernetes.model_ranges',
    description: 'address ranges, such as 10.1.0.0/16, outside of which sidecars reach no model; empty: all but what nobody may reach',
  }),
  MODEL_SECRET_HOSTS: z.enum(['off', 'warn', 'require'], 'must be off, warn or require').default('warn').meta({
    path: 'kubernetes.model_secret_hosts',
    description: 'what becomes of a Secret without the annotation `evalhub/hosts`: used, used with a warning, or refused',
  }),
  OCI_CA_CERT_PATH: z.string().optional().meta({
    path: 'sidecar.oci.ca_cert_path',
    description: 'PEM file in the sidecars with which registries are trusted, beside the known authorities',
  }),
}

const KubernetesFields = z.object(kubernetesFields)

export type KubernetesConfig = {
  /** All but the hub's id, which the database knows. */
  settings: Omit<KubernetesSettings, 'hubId'>
  limits: { perTenant: number; total: number }
  waitLimits: WaitLimits
  followedMax: number
  /** Undefined: all. */
  namespaces?: readonly string[]
}

/** What is missing for the runtime `kubernetes`, in sentences. */
export const lacks = (values: Readonly<Record<string, string | undefined>>): string[] =>
  (['EVALHUB_IMAGE', 'FUNCTIONS_URL', 'RUN_TOKEN_KEY'] as const)
    .filter((name) => values[name] === undefined)
    .map((name) => `${name} (${kubernetesFields[name].meta()?.path}) is required where RUNTIME is kubernetes`)

const withLimit = (size: ContainerSize, what: 'memory' | 'storage', limit: string): ContainerSize => ({
  ...size,
  [what]: { ...size[what], limit },
})

/** How long the Job of a bridge that is away keeps its evidence. */
const ttlSeconds = 604_800

/** Those of either runtime. */
export const toTestDataLimits = (fields: z.output<typeof KubernetesFields>): TestDataLimits => ({
  timeoutSeconds: Math.ceil(fields.TEST_DATA_TIMEOUT / 1000),
  maxBytes: fields.TEST_DATA_MAX_BYTES,
  maxFiles: fields.TEST_DATA_MAX_FILES,
  ranges: fields.TEST_DATA_RANGES,
})

export function toKubernetesConfig(fields: z.output<typeof KubernetesFields>): KubernetesConfig {
  const { WATCHED_NAMESPACES: namespaces, MLFLOW_TRACKING_URI: trackingUri, MLFLOW_CA_CERT_PATH: caCertPath } = fields
  return {
    settings: {
      namespace: fields.EVALHUB_NAMESPACE,
      instanceName: fields.EVALHUB_INSTANCE_NAME,
      image: fields.EVALHUB_IMAGE ?? '',
      imagePullPolicy: fields.EVALHUB_IMAGE_PULL_POLICY,
      imagePullSecrets: fields.IMAGE_PULL_SECRETS,
      functionsUrl: (fields.FUNCTIONS_URL ?? '').replace(/\/$/, ''),
      hubUrls: fields.HUB_URLS,
      functionsAreBehindGateway: fields.FUNCTIONS_BEHIND_GATEWAY,
      runTokenKey: fields.RUN_TOKEN_KEY ?? '',
      ...(trackingUri && { mlflow: { trackingUri, caCertPath, tokenAudience: fields.MLFLOW_TOKEN_AUDIENCE } }),
      sizes: {
        ...DEFAULT_SIZES,
        adapter: withLimit(DEFAULT_SIZES.adapter, 'storage', fields.ADAPTER_STORAGE),
        init: withLimit(DEFAULT_SIZES.init, 'memory', fields.TEST_DATA_MEMORY),
      },
      memoryRetryMax: fields.MEMORY_RETRY_MAX,
      hardwareProfilesNamespace: fields.EVALHUB_HARDWARE_PROFILES_NAMESPACE,
      ttlSeconds,
      huggingFaceEndpoint: fields.HF_ENDPOINT,
      testData: toTestDataLimits(fields),
      modelRanges: fields.MODEL_RANGES,
      modelSecretHosts: fields.MODEL_SECRET_HOSTS,
      registryCaCertPath: fields.OCI_CA_CERT_PATH,
    },
    limits: { perTenant: fields.RUNS_PER_TENANT_MAX, total: fields.RUNS_MAX },
    waitLimits: {
      missingSeconds: fields.WAIT_MISSING / 1000,
      capacitySeconds: fields.WAIT_CAPACITY / 1000,
      queueSeconds: fields.WAIT_QUEUE / 1000,
    },
    followedMax: fields.FOLLOWED_LOGS_MAX,
    ...(namespaces.length > 0 && { namespaces }),
  }
}
