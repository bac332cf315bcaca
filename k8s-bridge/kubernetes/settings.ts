import type { TestDataLimits } from '../test-data-source.ts'

/** Requests and limits of a container, as Kubernetes quantities: `250m`, `512Mi`. */
export type ContainerSize = {
  cpu: { request: string; limit: string }
  memory: { request: string; limit: string }
  /** Of the node's disk. */
  storage: { request: string; limit: string }
}

/** What an operator decides about runs on Kubernetes. Read once by the bridge's configuration. */
export type KubernetesSettings = {
  /** This hub's id, a UUID from its database. The bridge touches no object of another hub, nor one without an id. */
  hubId: string
  /** EvalHub's own namespace. Runs without a tenant are launched there. */
  namespace: string
  /**
   * `EVALHUB_INSTANCE_NAME`: the installation that an operator made. Absent: none did, and pods run as the default service account, without
   * its service CA. Otherwise every tenant's namespace must have the service account `<name>-<namespace>-job` and the ConfigMap `<name>-service-ca`.
   */
  instanceName?: string | undefined
  /** The one image with sidecar and init container. */
  image: string
  imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never'
  /** Secrets in the tenants' namespaces with which images are pulled. */
  imagePullSecrets: readonly string[]
  /** Base of the API as pods reach it, without a path. */
  functionsUrl: string
  /** Where the API is to be had besides, for others than pods of runs. */
  hubUrls: readonly string[]
  /** The address of `functionsUrl` is a gateway's, which leads to models too. */
  functionsAreBehindGateway: boolean
  /** Key that run tokens are made with; functions have the same one. */
  runTokenKey: string
  /** Absent: no MLflow is configured. */
  mlflow?:
    | {
        trackingUri: string
        /** Whom the token that it is shown is for. Absent: the Kubernetes API, as which MLflow's plug-in `kubernetes-auth` uses it. */
        tokenAudience?: string | undefined
        /** PEM file in the containers, for where the tenant has no ConfigMap `<instanceName>-mlflow-ca-bundle`. */
        caCertPath?: string | undefined
      }
    | undefined
  /** Sizes; the adapter's is for providers that name none. */
  sizes: { adapter: ContainerSize; sidecar: ContainerSize; init: ContainerSize }
  /** Up to here the memory of an attempt grows after earlier ones ran out of it, as a quantity. A provider or job may ask for more from the start. */
  memoryRetryMax: string
  /** `EVALHUB_HARDWARE_PROFILES_NAMESPACE`: where HardwareProfiles are. Absent: runs that name one are refused. */
  hardwareProfilesNamespace?: string | undefined
  /** How long a finished Job stays if nobody seals its evidence; it must outlive the longest outage of the bridge. */
  ttlSeconds: number
  /** Base of the Hugging Face hub that test data comes from. Absent: the public one. */
  huggingFaceEndpoint?: string | undefined
  testData: TestDataLimits
  /** Networks in CIDR notation that models may be in; none: all but those that nothing of a user may reach. */
  modelRanges: readonly string[]
  /** What becomes of a run that would send a Secret to a host which the Secret's list of hosts has not, or that has no list; `off`: lists are not read. */
  modelSecretHosts: 'off' | 'warn' | 'require'
  /** PEM file in the sidecar with which registries are trusted, beside the known authorities. */
  registryCaCertPath?: string | undefined
}

/**
 * The published contract's sizes (section 8), but for the sidecar's CPU limit: at its 200m a busy sidecar would be measured instead of the model.
 * It has none of storage. The sidecar's are for its log, its spool and what else is small in the pod.
 */
export const DEFAULT_SIZES: KubernetesSettings['sizes'] = {
  adapter: { cpu: { request: '250m', limit: '1' }, memory: { request: '512Mi', limit: '2Gi' }, storage: { request: '1Gi', limit: '20Gi' } },
  sidecar: {
    cpu: { request: '100m', limit: '1' },
    memory: { request: '128Mi', limit: '256Mi' },
    storage: { request: '64Mi', limit: '256Mi' },
  },
  init: {
    cpu: { request: '100m', limit: '500m' },
    memory: { request: '128Mi', limit: '512Mi' },
    storage: { request: '64Mi', limit: '256Mi' },
  },
}
