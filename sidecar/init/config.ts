import { z } from 'zod'
import { packBytesFor } from '#shared/domain/test-data-room.ts'
import { AddressRanges, HttpUrl, HttpUrls } from '#shared/models/setting.ts'
import type { PackLimits } from '../git/pack.ts'
import type { ReachSettings } from './guarded-connect.ts'
import { InitError } from './init-error.ts'

const optional = z.string().trim().optional()
const count = (fallback: number) => z.coerce.number('must be a number').int().positive().default(fallback)

/** A repository may have as many objects, and hold as many bytes of them, as fit here: a line that says so beats the kernel's kill. */
export function packLimitsFor(memoryBytes: number): Omit<PackLimits, 'maxObjectBytes'> {
  const memory = memoryBytes || 16 * 1024 ** 3
  return { maxObjects: Math.floor(memory / 4096), maxHeldBytes: Math.floor(Math.min(memory, 12 * 1024 ** 3) / 12) }
}

const Environment = z.object({
  TEST_DATA_GIT_URL: optional.refine((text) => !text || HttpUrl.safeParse(text).success, 'must be an http or https URL'),
  TEST_DATA_GIT_REF: optional,
  TEST_DATA_GIT_SUBPATH: optional,
  TEST_DATA_S3_BUCKET: optional,
  TEST_DATA_S3_KEY: optional,
  TEST_DATA_HF_REPO_ID: optional,
  TEST_DATA_HF_REVISION: optional,
  TEST_DATA_HF_SUBPATH: optional,
  TEST_DATA_HF_ENDPOINT: HttpUrl.default('https://huggingface.co'),
  /** Where the data go. */
  TEST_DATA_DIRECTORY: z.string().default('/test_data'),
  /** Where the Secret of the source is mounted, if one is named. */
  TEST_DATA_SECRET_DIRECTORY: z.string().default('/var/run/secrets/test-data'),
  /** Where the commit is written that was used; the sidecar reports it. */
  TEST_DATA_METADATA_FILE: z.string().default('/run/init-metadata/.git-metadata'),
  /** What Kubernetes shows as the container's message. */
  TEST_DATA_TERMINATION_LOG: z.string().default('/dev/termination-log'),
  /** For the whole download. */
  TEST_DATA_TIMEOUT_SECONDS: count(3600),
  TEST_DATA_MAX_BYTES: count(50 * 1024 ** 3),
  TEST_DATA_MAX_FILES: count(100_000),
  /** What there is of it, where no container says so. */
  TEST_DATA_MEMORY_BYTES: z.coerce.number('must be a number').int().positive().optional(),
  /** Ranges in CIDR notation, separated by commas, that may be reached though they are not public. */
  TEST_DATA_ALLOWED_RANGES: AddressRanges.prefault(''),
  /** Where EvalHub itself is, which no source may be. */
  TEST_DATA_HUB_URLS: HttpUrls.prefault(''),
  /** The address of the Kubernetes API, as each pod is told. */
  KUBERNETES_SERVICE_HOST: z.string().optional(),
})

export type GitSource = {
  kind: 'git'
  url: string
  ref: string
  subPath: string
  maxPackBytes: number
  /** Files and directories that are looked at, some of which are not fetched. */
  maxEntries: number
  limits: PackLimits
}
export type S3Source = { kind: 's3'; bucket: string; key: string }
export type HuggingFaceSource = { kind: 'hf'; endpoint: string; repoId: string; revision: string; subPath: string }
export type Source = GitSource | S3Source | HuggingFaceSource

export type InitConfig = {
  source: Source
  directory: string
  secretDirectory: string
  metadataFile: string
  terminationLog: string
  timeoutSeconds: number
  maxBytes: number
  maxFiles: number
  reach: ReachSettings
}

/** What the init container shall fetch, with `memoryBytes`. Throws one line that names every mistake, and no value. */
export function readInitConfig(
  env: Record<string, string | undefined> = process.env,
  memoryBytes: number = process.constrainedMemory(),
): InitConfig {
  const result = Environment.safeParse(env)
  if (!result.success) throw new InitError(result.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join('; '))
  const settings = result.data
  return {
    source: sourceOf(settings, settings.TEST_DATA_MEMORY_BYTES ?? memoryBytes),
    directory: settings.TEST_DATA_DIRECTORY,
    secretDirectory: settings.TEST_DATA_SECRET_DIRECTORY,
    metadataFile: settings.TEST_DATA_METADATA_FILE,
    terminationLog: settings.TEST_DATA_TERMINATION_LOG,
    timeoutSeconds: settings.TEST_DATA_TIMEOUT_SECONDS,
    maxBytes: settings.TEST_DATA_MAX_BYTES,
    maxFiles: settings.TEST_DATA_MAX_FILES,
    reach: {
      allowedRanges: settings.TEST_DATA_ALLOWED_RANGES,
      ...(settings.KUBERNETES_SERVICE_HOST && { apiServer: settings.KUBERNETES_SERVICE_HOST }),
      hubs: settings.TEST_DATA_HUB_URLS.map((url) => ({ url: new URL(url) })),
    },
  }
}

/** The contract's order, should more than one be named. */
function sourceOf(env: z.infer<typeof Environment>, memoryBytes: number): Source {
  const { TEST_DATA_GIT_URL: url, TEST_DATA_GIT_REF: ref, TEST_DATA_S3_BUCKET: bucket, TEST_DATA_S3_KEY: key } = env
  if (url) {
    if (!ref) throw new InitError('TEST_DATA_GIT_REF must be set with TEST_DATA_GIT_URL')
    const { TEST_DATA_GIT_SUBPATH: subPath = '', TEST_DATA_MAX_BYTES: maxObjectBytes, TEST_DATA_MAX_FILES: maxFiles } = env
    const limits = { ...packLimitsFor(memoryBytes), maxObjectBytes }
    return { kind: 'git', url, ref, subPath, maxPackBytes: packBytesFor(maxObjectBytes), maxEntries: 4 * maxFiles, limits }
  }
  if (env.TEST_DATA_HF_REPO_ID) {
    return {
      kind: 'hf',
      endpoint: env.TEST_DATA_HF_ENDPOINT.replace(/\/+$/, ''),
      repoId: env.TEST_DATA_HF_REPO_ID,
      revision: env.TEST_DATA_HF_REVISION || 'main',
      subPath: env.TEST_DATA_HF_SUBPATH ?? '',
    }
  }
  if (!bucket || !key)
    throw new InitError('TEST_DATA_GIT_URL, TEST_DATA_HF_REPO_ID, or TEST_DATA_S3_BUCKET and TEST_DATA_S3_KEY must be set')
  return { kind: 's3', bucket, key: key.replace(/^\/+/, '') }
}
