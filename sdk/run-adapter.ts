import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, mkdir, readFile, readlink, realpath, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { z } from 'zod'
import type { AllowedPaths } from '#shared/domain/allowed-paths.ts'
import { SECRET_FILE_MAX_BYTES } from '#shared/domain/model-secret.ts'
import { JobSpec } from '#shared/models/job-spec.ts'
import { AdapterFailure, type Adapter, type AdapterHost, type AdapterResult, type Artifact, type ModelCredentials } from './adapter.ts'
import type { AdapterSettings } from './config.ts'
import { createEventReporter, type EventReporter } from './event-reporter.ts'
import { keepArtifacts } from './keep-artifacts.ts'
import type { RegisteredFile } from './oci-layer.ts'
import { openNamedFile } from './open-named-file.ts'

/** Exit codes of an adapter. `undelivered`: the hub does not know how the run ended. */
const EXIT = { completed: 0, failed: 1, unusableSpec: 2, undelivered: 3 } as const

const isMissing = (error: unknown) => error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')

const readIfThere = (path: string) =>
  readFile(path, 'utf8').then(
    (text) => text.trim() || undefined,
    (error: unknown) => {
      if (isMissing(error)) return undefined
      throw error
    },
  )

async function readJobSpec(path: string): Promise<JobSpec> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new AdapterFailure('job_spec_invalid', `The job specification ${path} cannot be read.`, { cause: error })
  })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new AdapterFailure('job_spec_invalid', `The job specification ${path} is not JSON.`, { cause: error })
  }
  const spec = JobSpec.safeParse(json)
  if (spec.success) return spec.data
  throw new AdapterFailure('job_spec_invalid', `The job specification ${path} is not usable:\n${z.prettifyError(spec.error)}`)
}

/** A file of a Secret, and what is in it. */
type SecretFile = { path: string; text: string }

/** The one file `name` of a Secret's folder: a plain file, or the link by which Kubernetes projects it. */
async function secretFile(folder: string, name: string, allowed: AllowedPaths | undefined): Promise<SecretFile | undefined> {
  const path = join(folder, name)
  const info = await lstat(path).catch((error: unknown) => {
    if (isMissing(error)) return undefined
    throw error
  })
  if (!info) return undefined
  if (info.isSymbolicLink()) {
    const inside = (await realpath(path)).startsWith(`${await realpath(folder)}/`)
    if ((await readlink(path)) !== join('..data', name) || !inside) return undefined
  }
  const file = await openNamedFile(path, allowed)
  if (!file) return undefined
  try {
    const { size } = await file.stat()
    return size <= SECRET_FILE_MAX_BYTES ? { path, text: (await file.readFile('utf8')).trim() } : undefined
  } finally {
    await file.close()
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  )
}

/** Section 3.8 of the published contract: a local job may name the folder, else it is where a pod mounts it. */
async function readCredentials({ model }: JobSpec, settings: AdapterSettings): Promise<ModelCredentials> {
  const ref = model.auth?.secret_ref
  const named = ref?.startsWith('file://') ? fileURLToPath(ref) : ref
  const useNamed = settings.mode === 'local' && named !== undefined && (await isFolder(named))
  const read = (name: string) =>
    useNamed ? secretFile(named, name, settings.allowedPaths) : secretFile(settings.modelSecretDir, name, undefined)
  const [apiKey, caCert] = [await read('api-key'), await read('ca_cert')]
  return { ...(apiKey?.text && { apiKey: apiKey.text }), ...(caCert && { caCertPath: caCert.path }) }
}

/** Tenant and token of an event request, read anew each time because both are projected files. */
async function eventHeaders({ mode, serviceAccountDir, authTokenPath }: AdapterSettings): Promise<Record<string, string>> {
  const inPod = mode === 'k8s'
  const tenant = inPod ? await readIfThere(join(serviceAccountDir, 'namespace')) : undefined
  const tokenPath = authTokenPath ?? (inPod ? join(serviceAccountDir, 'token') : undefined)
  const token = tokenPath && (await readIfThere(tokenPath))
  return { ...(tenant && { 'X-Tenant': tenant }), ...(token && { Authorization: `Bearer ${token}` }) }
}

async function describeFile(path: string): Promise<Artifact> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { uri: pathToFileURL(resolve(path)).href, sha256: hash.digest('hex'), bytes }
}

/** A local run owns the folder above `meta/job.json`; a pod has a volume. */
const workdirOf = ({ mode, jobSpecPath, podDataDir }: AdapterSettings) =>
  mode === 'k8s' ? podDataDir : dirname(dirname(resolve(jobSpecPath)))

type Host = { host: AdapterHost; files: Map<string, RegisteredFile> }

async function createHost(spec: JobSpec, settings: AdapterSettings, reporter: EventReporter, signal: AbortSignal): Promise<Host> {
  const files = new Map<string, RegisteredFile>()
  const workdir = workdirOf(settings)
  await mkdir(workdir, { recursive: true })
  const host: AdapterHost = {
    phase: reporter.phase,
    progress: reporter.progress,
    warn: reporter.warn,
    async artifact(name, path) {
      const artifact = await describeFile(path)
      files.set(name, { name, path, artifact })
      return artifact
    },
    workdir,
    signal,
    credentials: await readCredentials(spec, settings),
    log: (line) => console.log(line),
  }
  return { host, files }
}

/** The wire's metrics: the adapter's own, and each standard error as `<metric>_stderr`. */
export function metricsWithErrors({ metrics, statistics = {} }: AdapterResult): Record<string, number> {
  const errors = Object.entries(statistics).flatMap(([name, { stderr }]) =>
    stderr !== undefined && Object.hasOwn(metrics, name) ? [[`${name}_stderr`, stderr] as const] : [],
  )
  return { ...metrics, ...Object.fromEntries(errors) }
}

function completion(result: AdapterResult) {
  const { statistics, additional_info, metrics_schema } = result
  return {
    status: 'completed' as const,
    phase: 'completed' as const,
    progress: 1,
    metrics: metricsWithErrors(result),
    additional_info: { ...additional_info, ...(statistics && { statistics }) },
    ...(metrics_schema && { metrics_schema }),
  }
}

/** What a user may read about a failure: an expected one as it was written, a bug by its first line without its stack. */
export function failureMessage(thrown: unknown) {
  if (thrown instanceof AdapterFailure) return { message: thrown.message, message_code: thrown.code, message_origin: 'adapter' }
  const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)
  const [firstLine = ''] = text.split('\n')
  return { message: `The adapter failed unexpectedly: ${firstLine.slice(0, 1000)}`, message_code: 'adapter_error', message_origin: 'sdk' }
}

const redact = (text: string, secret: string | undefined) => (secret ? text.replaceAll(secret, '[redacted]') : text)

/** Rejects as soon as the signal is aborted, so that an adapter which ignores it cannot hold up the report. */
const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))

type Ending = Parameters<EventReporter['finish']>[0]
type Ran = { ending: Ending; files: readonly RegisteredFile[] }

/** Runs the adapter to its end, which is that of the run but for what becomes of the files. */
async function run(adapter: Adapter, spec: JobSpec, settings: AdapterSettings, reporter: EventReporter, signal: AbortSignal): Promise<Ran> {
  let prepared: Host | undefined
  const aborted = untilAborted(signal)
  aborted.catch(() => undefined) // Awaited below unless the set-up throws first.
  const filesOf = (host: Host | undefined) => [...(host?.files.values() ?? [])]
  try {
    prepared = await createHost(spec, settings, reporter, signal)
    signal.throwIfAborted()
    return { ending: completion(await Promise.race([adapter.run(spec, prepared.host), aborted])), files: filesOf(prepared) }
  } catch (error) {
    const secret = prepared?.host.credentials.apiKey
    const failure = failureMessage(error)
    if (!(error instanceof AdapterFailure))
      console.error(redact(error instanceof Error ? (error.stack ?? error.message) : String(error), secret))
    return {
      ending: { status: 'failed', error_message: { ...failure, message: redact(failure.message, secret) } },
      files: filesOf(prepared),
    }
  }
}

/**
 * The end with what became of the files. A run whose files were to be exported and could not be has failed, as with the published SDK: its
 * evidence was asked for. Its numbers are reported all the same.
 */
async function withArtifacts(ending: Ending, reporter: EventReporter, keep: () => Promise<Record<string, unknown>>): Promise<Ending> {
  try {
    return { ...ending, artifacts: await keep() }
  } catch (error) {
    const failure = failureMessage(error)
    if (ending.status === 'completed') return { ...ending, status: 'failed', phase: 'persisting_artifacts', error_message: failure }
    // Stopped, which the end says itself.
    if (failure.message_code !== ending.error_message?.message_code) reporter.warn(failure.message_code, failure.message)
    return ending
  }
}

async function runReported(adapter: Adapter, spec: JobSpec, settings: AdapterSettings, stop: AbortController): Promise<number> {
  const log = (line: string) => console.log(line)
  const onEnded = () => stop.abort(new AdapterFailure('run_ended', 'The hub says that this run is already over.'))
  const { deliverySeconds } = settings
  const reporter = createEventReporter(spec, { headers: () => eventHeaders(settings), deliverySeconds, log, onEnded })
  reporter.phase('initializing')

  const { ending: ran, files } = await run(adapter, spec, settings, reporter, stop.signal)
  const workdir = workdirOf(settings)
  const ending = await withArtifacts(ran, reporter, () =>
    keepArtifacts({ spec, settings, files, workdir, reporter, signal: stop.signal, log }),
  )
  if (ending.error_message) log(`Failed: ${ending.error_message.message}`)

  const posted = await reporter.finish({ ...ending, completed_at: new Date().toISOString() })
  if ('why' in posted) {
    console.error(`The end of the run (${ending.status}) was not delivered: ${posted.why}.`)
    return EXIT.undelivered
  }
  return ending.status === 'completed' ? EXIT.completed : EXIT.failed
}

/**
 * Runs one benchmark run from its job specification to its last event, and answers the process's
 * exit code: 0 completed, 1 failed, 2 no usable specification, 3 the end could not be delivered.
 *
 * Progress is best effort; the end is sent until the hub acknowledges it. SIGTERM and SIGINT end
 * the run as failed with `adapter_terminated`. The adapter may still be busy when this returns:
 * the caller exits.
 */
export async function runAdapter(adapter: Adapter, settings: AdapterSettings): Promise<number> {
  let spec: JobSpec
  try {
    spec = await readJobSpec(settings.jobSpecPath)
  } catch (error) {
    console.error(failureMessage(error).message)
    return EXIT.unusableSpec
  }

  const stop = new AbortController()
  const terminate = (name: NodeJS.Signals) => stop.abort(new AdapterFailure('adapter_terminated', `The adapter was ended by ${name}.`))
  process.on('SIGTERM', terminate)
  process.on('SIGINT', terminate)
  try {
    return await runReported(adapter, spec, settings, stop)
  } finally {
    process.off('SIGTERM', terminate)
    process.off('SIGINT', terminate)
  }
}
