import { readFile } from 'node:fs/promises'
import type { JobSpec } from '#shared/models/job-spec.ts'
import type { SidecarConfig } from '#shared/models/sidecar-config.ts'

/** An HTTP service, and how its certificate is judged. */
export type Remote = {
  url: URL
  /** PEM file of authorities that are trusted beside the known ones; read again whenever it changes. */
  caPath?: string
}

/** All that a sidecar is told. */
export type SidecarSettings = {
  port: number
  /** The one run that events may be about. */
  run: { evaluationId: string; providerId: string; benchmarkId: string; benchmarkIndex: number }
  tenant: string
  runTokenPath: string
  /** Where events go to. `isBehindGateway`: its address leads to others too. */
  hub: Remote & { isBehindGateway?: boolean }
  /** Where the hub is to be had besides, for others. */
  otherHubs?: readonly Remote[]
  mlflow?: Remote & { tokenPath?: string; workspace?: string }
  /** `secretPath`: directory of the model's Secret. */
  model?: Remote & { secretPath?: string; allowedRanges?: readonly string[] }
  oci?: { host: string; repository: string; caPath?: string; authPath: string }
  /** File with the commit of the test data; only for runs whose data have one. */
  commitPath?: string
  spoolPath: string
  /** Address of the Kubernetes API, which no URL of a user may lead to. */
  apiServer?: string
  limits: Limits
}

export type Limits = {
  /** A connection to anything is there within this, TLS included. */
  connectMs: number
  /** An exchange in which nothing is sent or received for so long has timed out. */
  idleMs: number
  /** An event is answered by the hub within this, else it is sent again. */
  eventMs: number
  /** First and longest pause before an event is sent again. */
  retryMs: readonly [first: number, longest: number]
}

/** A model may think for an hour before its first word. The longest run is bounded by its deadline. */
const LIMITS: Limits = { connectMs: 10_000, idleMs: 3_600_000, eventMs: 10_000, retryMs: [250, 8000] }

type Environment = Record<string, string | undefined>

/** Where Kubernetes finds why the sidecar did not start. */
export const terminationLogPath = (env: Environment = process.env): string => env.TERMINATION_LOG_PATH ?? '/data/termination-log'

/**
 * Reads the two files of the run's ConfigMap. Throws one line that names the file and what is wrong with it.
 *
 * The bridge wrote them by the schemas of `shared/models`; to load those would double the sidecar's memory.
 */
export async function readSidecarSettings(env: Environment = process.env): Promise<SidecarSettings> {
  const config = await readObject<SidecarConfig>(configPath(env), { tenant: '', run_token_path: '', eval_hub: { base_url: '' } })
  const spec = await readObject<JobSpec>(env.JOB_SPEC_PATH ?? '/meta/job.json', {
    id: '',
    provider_id: '',
    benchmark_id: '',
    benchmark_index: 0,
  })
  const { mlflow, model } = config
  const coordinates = spec.exports?.oci?.coordinates
  return {
    port: portOf(config),
    run: { evaluationId: spec.id, providerId: spec.provider_id, benchmarkId: spec.benchmark_id, benchmarkIndex: spec.benchmark_index },
    tenant: config.tenant,
    runTokenPath: config.run_token_path,
    hub: {
      ...remote('eval_hub.base_url', config.eval_hub.base_url, config.eval_hub),
      ...(config.eval_hub.is_behind_gateway && { isBehindGateway: true }),
    },
    ...(config.eval_hub.other_urls && { otherHubs: config.eval_hub.other_urls.map((url) => remote('eval_hub.other_urls', url, {})) }),
    ...(mlflow && {
      mlflow: {
        ...remote('mlflow.tracking_uri', mlflow.tracking_uri, mlflow),
        ...(mlflow.token_path && { tokenPath: mlflow.token_path }),
        ...(mlflow.workspace && { workspace: mlflow.workspace }),
      },
    }),
    ...(model && { model: modelOf(model) }),
    ...(coordinates && {
      oci: {
        host: coordinates.oci_host,
        repository: coordinates.oci_repository,
        ...(config.oci?.ca_cert_path && { caPath: config.oci.ca_cert_path }),
        authPath: env.OCI_AUTH_CONFIG_PATH ?? '/etc/evalhub/.docker/config.json',
      },
    }),
    ...(config.init_container?.is_git_job && { commitPath: env.INIT_METADATA_PATH ?? '/run/init-metadata/.git-metadata' }),
    spoolPath: env.SPOOL_DIR ?? '/var/spool/evalhub',
    ...(env.KUBERNETES_SERVICE_HOST && { apiServer: env.KUBERNETES_SERVICE_HOST }),
    limits: LIMITS,
  }
}

/** The port on which the sidecar of this environment listens. */
export async function readPort(env: Environment = process.env): Promise<number> {
  return portOf(await readObject<SidecarConfig>(configPath(env), {}))
}

const configPath = (env: Environment) => env.SIDECAR_CONFIG_PATH ?? '/meta/sidecar_config.json'

const portOf = ({ base_url }: Partial<SidecarConfig>) => Number(parseUrl('base_url', base_url ?? 'http://localhost:8080').port || 8080)

function modelOf(model: NonNullable<SidecarConfig['model']>): NonNullable<SidecarSettings['model']> {
  const secretPath = model.auth_secret_mount_path
  return {
    ...remote('model.url', model.url, secretPath ? { ca_cert_path: `${secretPath}/ca_cert` } : {}),
    ...(secretPath && { secretPath }),
    ...(model.allowed_ranges && { allowedRanges: model.allowed_ranges }),
  }
}

const remote = (name: string, url: string, { ca_cert_path: caPath }: { ca_cert_path?: string | undefined }): Remote => ({
  url: parseUrl(name, url),
  ...(caPath && { caPath }),
})

function parseUrl(name: string, text: string): URL {
  if (!URL.canParse(text) || !/^https?:/i.test(text)) throw new Error(`${name} must be an http or https URL, not '${text}'`)
  return new URL(text)
}

/** The object in a JSON file, which has all that `example` has, of the same types. */
async function readObject<Shape>(path: string, example: object): Promise<Shape> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new Error(`${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new Error(`${path} is no JSON`, { cause })
  }
  const lacking = firstLacking(value, example)
  if (lacking !== undefined) throw new Error(`${path} lacks ${lacking}`)
  return value as Shape // what of it is read has been looked at just now, or is optional
}

function firstLacking(value: unknown, example: object, prefix = ''): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return prefix ? prefix.slice(0, -1) : 'an object'
  for (const [name, wanted] of Object.entries(example)) {
    const member: unknown = Reflect.get(value, name)
    if (typeof wanted === 'object') {
      const lacking = firstLacking(member, wanted, `${prefix}${name}.`)
      if (lacking !== undefined) return lacking
    } else if (typeof member !== typeof wanted) return `${prefix}${name} (a ${typeof wanted})`
  }
  return undefined
}
