import type { Claim } from '#db/commands/claim-launches.ts'
import { jobName, type AttemptKey } from '#shared/domain/attempt-key.ts'
import type { HardwareProfile } from './hardware-profile.ts'
import type { ModelSecret } from './model-secret.ts'
import type { KubernetesSettings } from './settings.ts'

/** One attempt to be launched, as it was claimed. */
export type Attempt = Pick<Claim, 'tenant' | 'evaluationId' | 'benchmarkIndex' | 'attempt' | 'oomFailures' | 'spec' | 'request'>

/** What the cluster knows and the attempt's objects depend on. */
export type Surroundings = {
  /** Absent: the run names none. */
  profile?: HardwareProfile | undefined
  /** Absent: the run has no model, or its model no Secret. */
  modelSecret?: ModelSecret | undefined
  /** True if the tenant's namespace has a bundle of authorities for MLflow. */
  hasMlflowCa: boolean
}

/** Where the adapter finds its sidecar: the published Python SDK has it built in. */
export const SIDECAR_URL = 'http://localhost:8080'

/**
 * The bridge ends a pod at the run's deadline; the kubelet does so much later, if the bridge is away. The kubelet leaves an adapter that does
 * not listen to its signal all of the pod's grace, and takes no shorter one once it has begun.
 */
export const overtimeSeconds = 60

/** Tenants are namespaces. */
export const namespaceOf = ({ tenant }: Pick<Attempt, 'tenant'>, settings: KubernetesSettings): string => tenant || settings.namespace

export const specName = (key: AttemptKey): string => `${jobName(key)}-spec`
export const secretName = (key: AttemptKey): string => `${jobName(key)}-run`

/** The model that is evaluated; undefined if the run is on pre-recorded data, whatever credentials are named. */
export const modelOf = ({ request }: Pick<Attempt, 'request'>) => (request.model.url === '' ? undefined : request.model)

/** `url` as the adapter gets it: the sidecar's origin, the rest as it was written, without one `/` at the end. */
export const throughSidecar = (url: string): string => url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, SIDECAR_URL).replace(/\/$/, '')
