import { within, type KubernetesApi } from './api.ts'
import { answerOf, type NotLaunched } from './api-answer.ts'
import { modelOf, namespaceOf, type Attempt, type Surroundings } from './attempt.ts'
import { readHardwareProfile, type HardwareProfile } from './hardware-profile.ts'
import { readModelSecret, type ModelSecret } from './model-secret.ts'
import type { KubernetesSettings } from './settings.ts'
import { mlflowCaKey, mlflowCaName } from './volumes.ts'

type Reading = { api: KubernetesApi; settings: KubernetesSettings; attempt: Attempt; signal: AbortSignal }

/** Reads what the attempt's objects depend on, or why they cannot be made: for good, or yet. */
export async function readSurroundings(reading: Reading): Promise<{ surroundings: Surroundings } | NotLaunched> {
  const [profile, modelSecret, hasMlflowCa] = await Promise.all([readProfile(reading), readSecret(reading), hasMlflowBundle(reading)])
  if (isNotLaunched(profile)) return profile
  if (isNotLaunched(modelSecret)) return modelSecret
  return { surroundings: { profile, modelSecret, hasMlflowCa } }
}

const isNotLaunched = (value: object | undefined): value is NotLaunched =>
  value !== undefined && ('refused' in value || 'obstacle' in value)

async function readProfile({ api, settings, attempt, signal }: Reading): Promise<HardwareProfile | NotLaunched | undefined> {
  const name = attempt.spec.hardware_config?.hardware_profile_name
  const namespace = settings.hardwareProfilesNamespace
  if (!name || !namespace) return undefined
  const object = await found(
    api.custom.getNamespacedCustomObject(
      { group: 'infrastructure.opendatahub.io', version: 'v1', plural: 'hardwareprofiles', namespace, name },
      within(signal),
    ),
  )
  if (object === undefined) return refused(`The hardware profile '${name}' was not found in namespace ${namespace}.`)
  const profile = readHardwareProfile(name, object)
  return 'unusable' in profile ? refused(profile.unusable) : profile
}

const refused = (message: string): NotLaunched => ({ refused: { failureClass: 'missing_config', message } })

async function readSecret({ api, settings, attempt, signal }: Reading): Promise<ModelSecret | NotLaunched | undefined> {
  const name = modelOf(attempt)?.auth?.secret_ref
  if (!name) return undefined
  const namespace = namespaceOf(attempt, settings)
  const object = await found(api.core.readNamespacedSecret({ name, namespace }, within(signal)))
  if (!object) {
    return obstacle(
      `The Secret ${name} of the model does not exist in namespace ${namespace}. Create it there, for instance with a key api-key.`,
    )
  }
  const secret = readModelSecret(name, object.data ?? {})
  return 'badKey' in secret
    ? obstacle(`The Secret ${name} of the model in namespace ${namespace} has a key ${secret.badKey} that holds no http or https address.`)
    : secret
}

const obstacle = (message: string): NotLaunched => ({ obstacle: { failureClass: 'missing_secret', message } })

async function hasMlflowBundle({ api, settings, attempt, signal }: Reading): Promise<boolean> {
  const name = settings.mlflow && mlflowCaName(settings)
  if (!name) return false
  const bundle = await found(api.core.readNamespacedConfigMap({ name, namespace: namespaceOf(attempt, settings) }, within(signal)))
  return (bundle?.data?.[mlflowCaKey] ?? '').trim() !== ''
}

/** What a read answers; undefined if it is not there. */
async function found<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read
  } catch (error) {
    if (answerOf(error)?.code === 404) return undefined
    throw error
  }
}
