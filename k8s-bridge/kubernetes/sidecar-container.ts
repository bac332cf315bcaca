import type { V1Container } from '@kubernetes/client-node'
import type { SidecarConfig } from '#shared/models/sidecar-config.ts'
import { modelOf, namespaceOf, secretName, SIDECAR_URL, type Attempt, type Surroundings } from './attempt.ts'
import { fixedResources, type Placement } from './resources.ts'
import { RESTRICTED_READ_ONLY } from './security.ts'
import type { KubernetesSettings } from './settings.ts'
import { hasCommit, initMetadata } from './test-data.ts'
import {
  authorities,
  folder,
  mlflowCaPath,
  secretFiles,
  SERVICE_CA_PATH,
  serviceAccountToken,
  sharedFolders,
  specFiles,
  type Mounted,
} from './volumes.ts'

/** Key of the run token in the attempt's Secret, and the file's name. */
export const runTokenKey = 'run-token'
const runTokenFolder = '/var/run/secrets/evalhub'
const modelSecretFolder = '/var/run/secrets/model'
const mlflowTokenFolder = '/var/run/secrets/mlflow'

/** The container that stands between the adapter and everything that needs a credential. A native sidecar: it outlives the adapter. */
export function sidecarContainer(
  attempt: Attempt,
  settings: KubernetesSettings,
  surroundings: Surroundings,
  { dataSize }: Placement,
): { container: V1Container; mounted: Mounted[] } {
  const mounted = mountedFor(attempt, settings, surroundings, dataSize)
  const container: V1Container = {
    name: 'sidecar',
    image: settings.image,
    imagePullPolicy: settings.imagePullPolicy,
    command: ['node', '/app/sidecar.mjs'],
    restartPolicy: 'Always',
    resources: fixedResources(settings.sizes.sidecar),
    volumeMounts: mounted.flatMap(({ mounts }) => mounts),
    // The kubelet's own request would go to the pod's address, but the sidecar listens on loopback only.
    startupProbe: { exec: { command: ['node', '/app/sidecar.mjs', '--check'] }, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 60 },
    securityContext: RESTRICTED_READ_ONLY,
    terminationMessagePath: '/data/termination-log',
    terminationMessagePolicy: 'FallbackToLogsOnError',
  }
  return { container, mounted }
}

function mountedFor(
  attempt: Attempt,
  settings: KubernetesSettings,
  { modelSecret, hasMlflowCa }: Surroundings,
  dataSize: string,
): Mounted[] {
  const ociConnection = attempt.request.exports?.oci?.k8s?.connection
  const hasModelSecret = modelSecret !== undefined && modelOf(attempt) !== undefined
  const runToken = [{ key: runTokenKey, path: runTokenKey }]
  const dockerConfig = [{ key: '.dockerconfigjson', path: 'config.json' }]
  return [
    specFiles(attempt, 'job.json', 'sidecar_config.json'),
    ...sharedFolders(dataSize),
    // Four terminal events of 10 MiB, and one that is being written.
    folder('event-spool', '/var/spool/evalhub', '64Mi'),
    secretFiles('run-token', secretName(attempt), runTokenFolder, runToken),
    ...authorities(settings, hasMlflowCa),
    ...(settings.mlflow ? [serviceAccountToken('mlflow-token', mlflowTokenFolder, settings.mlflow.tokenAudience)] : []),
    ...(hasModelSecret ? [secretFiles('model-auth', modelSecret.name, modelSecretFolder)] : []),
    ...(hasCommit(attempt) ? [initMetadata('read')] : []),
    ...(ociConnection ? [secretFiles('oci-credentials', ociConnection, '/etc/evalhub/.docker', dockerConfig)] : []),
  ]
}

/** What the sidecar is told. No secret is in it. */
export function sidecarConfigFor(
  attempt: Attempt,
  settings: KubernetesSettings,
  { modelSecret, hasMlflowCa }: Surroundings,
): SidecarConfig {
  const tenant = namespaceOf(attempt, settings)
  const model = modelOf(attempt)
  const caPath = mlflowCaPath(settings, hasMlflowCa)
  return {
    base_url: SIDECAR_URL,
    tenant,
    run_token_path: `${runTokenFolder}/${runTokenKey}`,
    eval_hub: {
      base_url: settings.functionsUrl,
      ...(settings.functionsAreBehindGateway && { is_behind_gateway: true }),
      ...(settings.hubUrls.length > 0 && { other_urls: [...settings.hubUrls] }),
      ...(settings.instanceName && { ca_cert_path: SERVICE_CA_PATH }),
    },
    ...(settings.mlflow && {
      mlflow: {
        tracking_uri: settings.mlflow.trackingUri,
        token_path: `${mlflowTokenFolder}/token`,
        workspace: tenant,
        ...(caPath && { ca_cert_path: caPath }),
      },
    }),
    ...(settings.registryCaCertPath && { oci: { ca_cert_path: settings.registryCaCertPath } }),
    ...(model && {
      model: {
        url: model.url,
        ...(modelSecret && { auth_secret_mount_path: modelSecretFolder }),
        ...(settings.modelRanges.length > 0 && { allowed_ranges: [...settings.modelRanges] }),
      },
    }),
    ...(hasCommit(attempt) && { init_container: { is_git_job: true } }),
  }
}
