import type { V1Container, V1EnvVar } from '@kubernetes/client-node'
import { limitVariables, testDataSource } from '../test-data-source.ts'
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
  const source = reference && testDataSource(reference, settings.huggingFaceEndpoint)
  if (!source) return undefined
  const hubUrls = [...(settings.functionsAreBehindGateway ? [] : [settings.functionsUrl]), ...settings.hubUrls]
  const mounted = [
    folder(volumeName, mountPath, inMebibytes(testDataBytes(settings))),
    ...(hasCommit(attempt) ? [initMetadata()] : []),
    ...(source.secret ? [secretFiles(VOLUMES[source.kind], source.secret, '/var/run/secrets/test-data')] : []),
  ]
  const container: V1Container = {
    name: 'init',
    image: settings.image,
    imagePullPolicy: settings.imagePullPolicy,
    command: ['node', '/app/init.mjs'],
    env: variables({ ...source.variables, ...limitVariables(settings.testData, hubUrls) }),
    resources: fixedResources(settings.sizes.init),
    volumeMounts: mounted.flatMap(({ mounts }) => mounts),
    securityContext: RESTRICTED_READ_ONLY,
    terminationMessagePolicy: 'FallbackToLogsOnError',
  }
  return { container, mounted }
}

const VOLUMES = { s3: 'test-data-secret', git: 'test-data-git-auth', hf: 'test-data-hf-auth' }

const variables = (values: Readonly<Record<string, string | undefined>>): V1EnvVar[] =>
  Object.entries(values).flatMap(([name, value]) => (value ? [{ name, value }] : []))
