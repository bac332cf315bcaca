import type { V1Volume, V1VolumeMount } from '@kubernetes/client-node'
import { specName, type Attempt } from './attempt.ts'
import type { KubernetesSettings } from './settings.ts'

/** A volume, and where one container sees it. The pod's volumes are those of its containers, each name once. */
export type Mounted = { volume: V1Volume; mounts: V1VolumeMount[] }

/** Files of the attempt's ConfigMap, each at its own path: the rest of `/meta` belongs to the image. */
export const specFiles = (attempt: Attempt, ...files: string[]): Mounted => ({
  volume: { name: 'job-spec', configMap: { name: specName(attempt) } },
  mounts: files.map((file) => ({ name: 'job-spec', mountPath: `/meta/${file}`, subPath: file, readOnly: true })),
})

/** A folder that containers of the pod share and that ends with it; a pod that writes more there than `sizeLimit`, a quantity, is ended. */
export const folder = (name: string, mountPath: string, sizeLimit: string, access?: 'read'): Mounted => ({
  volume: { name, emptyDir: { sizeLimit } },
  mounts: [{ name, mountPath, ...(access === 'read' && { readOnly: true }) }],
})

/** What adapter and sidecar share: `/data` of that size, and `/shared`, of which the contract only says that it is there. */
export const sharedFolders = (dataSize: string): Mounted[] => [
  folder('data', '/data', dataSize),
  folder('termination-file-volume', '/shared', '64Mi'),
]

export const secretFiles = (name: string, secretName: string, mountPath: string, items?: { key: string; path: string }[]): Mounted => ({
  volume: { name, secret: { secretName, ...(items && { items }) } },
  mounts: [{ name, mountPath, readOnly: true }],
})

/** A token of the pod's service account in a file `token`, good for an hour and renewed by the kubelet. Without `audience` it is for the Kubernetes API. */
export const serviceAccountToken = (name: string, mountPath: string, audience: string | undefined): Mounted => ({
  volume: {
    name,
    projected: { sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 3600, ...(audience && { audience }) } }] },
  },
  mounts: [{ name, mountPath, readOnly: true }],
})

export const SERVICE_CA_PATH = '/etc/pki/ca-trust/source/anchors/service-ca.crt'
const MLFLOW_CA_PATH = '/etc/evalhub/mlflow-ca/ca-bundle.crt'

/** Name of the ConfigMap, and of its key, with which a tenant's namespace says whom to trust for MLflow. */
export const mlflowCaName = ({ instanceName }: KubernetesSettings): string | undefined => instanceName && `${instanceName}-mlflow-ca-bundle`
export const mlflowCaKey = 'ca-bundle.crt'

/** The bundles of authorities that adapter and sidecar both see. */
export function authorities(settings: KubernetesSettings, hasMlflowCa: boolean): Mounted[] {
  const { instanceName } = settings
  const bundle = hasMlflowCa ? mlflowCaName(settings) : undefined
  return [
    ...(instanceName ? [configFolder('evalhub-service-ca', `${instanceName}-service-ca`, '/etc/pki/ca-trust/source/anchors')] : []),
    ...(bundle ? [configFolder('mlflow-ca-bundle', bundle, '/etc/evalhub/mlflow-ca')] : []),
  ]
}

const configFolder = (name: string, configMap: string, mountPath: string): Mounted => ({
  volume: { name, configMap: { name: configMap } },
  mounts: [{ name, mountPath, readOnly: true }],
})

/** The PEM file with which MLflow is trusted: the tenant's bundle, else the operator's file, else the service CA. */
export const mlflowCaPath = ({ mlflow, instanceName }: KubernetesSettings, hasMlflowCa: boolean): string | undefined =>
  hasMlflowCa ? MLFLOW_CA_PATH : (mlflow?.caCertPath ?? (instanceName && SERVICE_CA_PATH))
