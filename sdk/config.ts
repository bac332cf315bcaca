import { z } from 'zod'
import { AllowedPaths } from '#shared/domain/allowed-paths.ts'

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

const Environment = z.object({
  EVALHUB_MODE: z
    .string()
    .default('local')
    .transform((mode) => mode.trim().toLowerCase())
    .pipe(z.enum(['k8s', 'local'], { error: 'EVALHUB_MODE must be k8s or local' })),
  EVALHUB_JOB_SPEC_PATH: z.string().min(1).default('/meta/job.json'),
  EVALHUB_AUTH_TOKEN_PATH: z.string().min(1).optional(),
  EVALHUB_ALLOWED_PATHS: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(AllowedPaths)
    .optional(),
})

/** Where an adapter process finds what it was given. */
export type AdapterSettings = {
  mode: 'k8s' | 'local'
  jobSpecPath: string
  /** File with the bearer token for events; absent means none is sent unless a service account's token is there. */
  authTokenPath?: string
  /** Where a job may name files of this machine; absent: everywhere, since a container has its own only. */
  allowedPaths?: AllowedPaths
  /** Folder with `namespace` and `token`; read in mode `k8s` only. */
  serviceAccountDir: string
  /** Folder with `api-key` and `ca_cert`, unless a local job names another one. */
  modelSecretDir: string
  /** Where an adapter writes in a pod; a local run writes into its own folder. */
  podDataDir: string
  /** How long the end of a run is offered to the hub before the adapter gives up. */
  deliverySeconds: number
  /** How long a registry that fails is asked again for the artifacts of a run, from its first failure. No answer is waited for longer. */
  exportSeconds: number
}

/** Settings of `runAdapter` from the environment that the hub gives an adapter (section 3.7 of the published contract). */
export function readAdapterSettings(env: Record<string, string | undefined> = process.env): AdapterSettings {
  const { EVALHUB_MODE, EVALHUB_JOB_SPEC_PATH, EVALHUB_AUTH_TOKEN_PATH, EVALHUB_ALLOWED_PATHS } = Environment.parse(env)
  return {
    mode: EVALHUB_MODE,
    jobSpecPath: EVALHUB_JOB_SPEC_PATH,
    ...(EVALHUB_AUTH_TOKEN_PATH && { authTokenPath: EVALHUB_AUTH_TOKEN_PATH }),
    ...(EVALHUB_ALLOWED_PATHS && { allowedPaths: EVALHUB_ALLOWED_PATHS }),
    serviceAccountDir: SERVICE_ACCOUNT,
    modelSecretDir: '/var/run/secrets/model',
    podDataDir: '/data',
    deliverySeconds: 60,
    exportSeconds: 300,
  }
}
