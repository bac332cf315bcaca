import type { V1Container, V1EnvVar } from '@kubernetes/client-node'
import type { TestDataRef } from '#shared/models/test-data.ts'
import type { Attempt } from './attempt.ts'
import { inMebibytes } from './quantity.ts'
import { fixedResources, testDataBytes } from './resources.ts'
import { RESTRICTED_READ_ONLY } from './security.ts'
import type { KubernetesSettings } from './settings.ts'
import { folder, secretFiles, type Mounted } from './volumes.ts'

const volumeName = 'test-data'
const mountPath = '/test_data'

/** What the adapter sees at `/test_data`; undefined if the run brings no data. */
export function testDataMount({ spec }: Attempt, settings: KubernetesSettings): Mounted | undefined {
  const reference = spec.test_data_ref
  if (!reference) return undefined
  if (!reference.pvc) return folder(volumeName, mountPath, inMebibytes(testDataBytes(settings)), 'read')
  const { claim_name: claimName, sub_path: subPath } = reference.pvc
  return {
    volume: { name: volumeName, persistentVolumeClaim: { claimName, readOnly: true } },
    mounts: [{ name: volumeName, mountPath, readOnly: true, ...(subPath && { subPath }) }],
  }
}

/** True for data that are of a commit, which the sidecar reports. */
export const hasCommit = ({ spec }: Attempt): boolean => Boolean(spec.test_data_ref?.git ?? spec.test_data_ref?.hf)

/** Where the init container writes which commit it fetched, and the sidecar reads it. */
export const initMetadata = (access?: 'read'): Mounted => folder('init-metadata', '/run/init-metadata', '1Mi', access)

/** The container that brings test data from S3, git or Hugging Face; undefined if there is nothing to bring. Source: contract 8.6. */
export function initContainer(attempt: Attempt, settings: KubernetesSettings): { container: V1Container; mounted: Mounted[] } | undefined {
  const reference = attempt.spec.test_data_ref
  const source = reference && sourceOf(reference, settings.huggingFaceEndpoint)
  if (!source) return undefined
  const { timeoutSeconds, maxBytes, maxFiles, ranges } = settings.testData
  const limits = variables({
    TEST_DATA_TIMEOUT_SECONDS: String(timeoutSeconds),
    TEST_DATA_MAX_BYTES: String(maxBytes),
    TEST_DATA_MAX_FILES: String(maxFiles),
    TEST_DATA_ALLOWED_RANGES: ranges.join(','),
    TEST_DATA_HUB_URLS: [...(settings.functionsAreBehindGateway ? [] : [settings.functionsUrl]), ...settings.hubUrls].join(','),
  })
  const mounted = [
    folder(volumeName, mountPath, inMebibytes(testDataBytes(settings))),
    ...(hasCommit(attempt) ? [initMetadata()] : []),
    ...(source.secret ? [secretFiles(source.secret.volume, source.secret.name, '/var/run/secrets/test-data')] : []),
  ]
  const container: V1Container = {
    name: 'init',
    image: settings.image,
    imagePullPolicy: settings.imagePullPolicy,
    command: ['node', '/app/init.mjs'],
    env: [...source.env, ...limits],
    resources: fixedResources(settings.sizes.init),
    volumeMounts: mounted.flatMap(({ mounts }) => mounts),
    securityContext: RESTRICTED_READ_ONLY,
    terminationMessagePolicy: 'FallbackToLogsOnError',
  }
  return { container, mounted }
}

type Source = { env: V1EnvVar[]; secret?: { volume: string; name: string } | undefined }

function sourceOf({ s3, git, hf }: TestDataRef, huggingFaceEndpoint: string | undefined): Source | undefined {
  if (s3) {
    const env = variables({ TEST_DATA_S3_BUCKET: s3.bucket.trim(), TEST_DATA_S3_KEY: s3Key(s3.key) })
    return { env, secret: { volume: 'test-data-secret', name: s3.secret_ref.trim() } }
  }
  if (git) {
    const env = variables({ TEST_DATA_GIT_URL: git.url, TEST_DATA_GIT_REF: git.ref, TEST_DATA_GIT_SUBPATH: git.sub_path })
    return { env, secret: git.secret_ref ? { volume: 'test-data-git-auth', name: git.secret_ref } : undefined }
  }
  if (hf) {
    const env = variables({
      TEST_DATA_HF_REPO_ID: hf.repo_id.trim(),
      TEST_DATA_HF_REVISION: hf.revision,
      TEST_DATA_HF_SUBPATH: hf.sub_path,
      TEST_DATA_HF_ENDPOINT: huggingFaceEndpoint,
    })
    return { env, secret: hf.secret_ref ? { volume: 'test-data-hf-auth', name: hf.secret_ref } : undefined }
  }
  return undefined
}

/** A key below the bucket's root, without the slashes that some write before it. */
export const s3Key = (key: string): string => key.trim().replace(/^\/+/, '')

const variables = (values: Record<string, string | undefined>): V1EnvVar[] =>
  Object.entries(values).flatMap(([name, value]) => (value ? [{ name, value }] : []))
