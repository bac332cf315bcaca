import type { V1Container, V1EnvVar } from '@kubernetes/client-node'
import { modelOf, namespaceOf, secretName, SIDECAR_URL, type Attempt, type Surroundings } from './attempt.ts'
import type { Placement } from './resources.ts'
import { RESTRICTED } from './security.ts'
import type { KubernetesSettings } from './settings.ts'
import { testDataMount } from './test-data.ts'
import { authorities, mlflowCaPath, sharedFolders, specFiles, type Mounted } from './volumes.ts'

/** The container with the framework. It is not ours: it gets no credential and no service-account token. Source: contract 8.4. */
export function adapterContainer(
  attempt: Attempt,
  settings: KubernetesSettings,
  surroundings: Surroundings,
  { resources, dataSize }: Placement,
): { container: V1Container; mounted: Mounted[] } {
  const { Entrypoint } = attempt.spec.runtime.k8s ?? {}
  const command = (Entrypoint ?? []).map((word) => word.trim()).filter((word) => word !== '')
  const mounted = mountedFor(attempt, settings, surroundings, dataSize)
  const container: V1Container = {
    name: 'adapter',
    ...imageOf(attempt, settings),
    ...(command.length > 0 && { command }),
    env: environmentFor(attempt, settings, surroundings),
    resources,
    volumeMounts: mounted.flatMap(({ mounts }) => mounts),
    securityContext: RESTRICTED,
    terminationMessagePolicy: 'FallbackToLogsOnError',
  }
  return { container, mounted }
}

/** A provider of the catalogue may name EvalHub's own image by this, because nobody knows when writing it what that is called on a cluster. */
const OWN_IMAGE = 'evalhub'

function imageOf({ spec }: Attempt, settings: KubernetesSettings): Pick<V1Container, 'image' | 'imagePullPolicy'> {
  const { Image, image_pull_policy: pullPolicy } = spec.runtime.k8s ?? {}
  const image = (Image ?? '').trim()
  if (spec.from_catalogue && image === OWN_IMAGE) return { image: settings.image, imagePullPolicy: settings.imagePullPolicy }
  return { image, imagePullPolicy: pullPolicy === 'always' ? 'Always' : 'IfNotPresent' }
}

function mountedFor(attempt: Attempt, settings: KubernetesSettings, surroundings: Surroundings, dataSize: string): Mounted[] {
  const model = modelReferences(attempt, surroundings)
  const testData = testDataMount(attempt, settings)
  return [
    specFiles(attempt, 'job.json'),
    ...sharedFolders(dataSize),
    POD_NAMESPACE,
    ...authorities(settings, surroundings.hasMlflowCa),
    ...(model ? [model] : []),
    ...(testData ? [testData] : []),
  ]
}

/** The file from which the published SDK knows the tenant; nothing else is at that path. */
const POD_NAMESPACE: Mounted = {
  volume: {
    name: 'pod-namespace',
    projected: { sources: [{ downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } }] },
  },
  mounts: [{ name: 'pod-namespace', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true }],
}

/** References in place of credentials, and of the Secret itself only what no sidecar can stand in for: a token only where the provider asks for it. */
function modelReferences(attempt: Attempt, { modelSecret }: Surroundings): Mounted | undefined {
  if (!modelSecret || !modelOf(attempt)) return undefined
  const keys = Object.keys(modelSecret.references)
  const references = { name: secretName(attempt), items: keys.map((key) => ({ key, path: key })) }
  const plain = [...(attempt.spec.runtime.k8s?.needs_hf_token ? ['hf-token'] : []), 'ca_cert'].map((key) => ({
    secret: { name: modelSecret.name, items: [{ key, path: key }], optional: true },
  }))
  return {
    volume: { name: 'model-auth-internal', projected: { sources: [...(keys.length > 0 ? [{ secret: references }] : []), ...plain] } },
    mounts: [{ name: 'model-auth-internal', mountPath: '/var/run/secrets/model', readOnly: true }],
  }
}

/** Ours, then the provider's, which override nothing: of two with one name the first counts. */
function environmentFor(attempt: Attempt, settings: KubernetesSettings, { hasMlflowCa }: Surroundings): V1EnvVar[] {
  const caPath = mlflowCaPath(settings, hasMlflowCa)
  const mlflow: V1EnvVar[] = [
    { name: 'MLFLOW_TRACKING_URI', value: SIDECAR_URL },
    { name: 'MLFLOW_WORKSPACE', value: namespaceOf(attempt, settings) },
    ...(caPath ? [{ name: 'MLFLOW_TRACKING_SERVER_CERT_PATH', value: caPath }] : []),
  ]
  const own: V1EnvVar[] = [{ name: 'EVALHUB_MODE', value: 'k8s' }, ...(settings.mlflow ? mlflow : [])]
  const all = [...own, ...(attempt.spec.runtime.k8s?.Env ?? []).map(({ Name: name, Value: value }) => ({ name, value }))]
  return all.filter(({ name }, index) => all.findIndex((other) => other.name === name) === index)
}
