import type { V1Secret } from '@kubernetes/client-node'
import { metadataOnly, within, type KubernetesApi } from './api.ts'
import { answerOf, type NotLaunched } from './api-answer.ts'
import { modelOf, namespaceOf, type Attempt, type Surroundings } from './attempt.ts'
import { readHardwareProfile, type HardwareProfile } from './hardware-profile.ts'
import { readModelSecret, type ModelSecret } from './model-secret.ts'
import { destinationsOf, HOSTS_ANNOTATION, judgeHosts, type Destination } from './secret-hosts.ts'
import type { KubernetesSettings } from './settings.ts'
import { mlflowCaKey, mlflowCaName } from './volumes.ts'

type Reading = { api: KubernetesApi; settings: KubernetesSettings; attempt: Attempt; signal: AbortSignal }

/** `warning`: what the run's user is to be told, in one line. */
type Read = { surroundings: Surroundings; warning?: string }

/** Reads what the attempt's objects depend on, or why they cannot be made: for good, or yet. */
export async function readSurroundings(reading: Reading): Promise<Read | NotLaunched> {
  const [profile, model, testData, hasMlflowCa] = await Promise.all([
    readProfile(reading),
    readSecret(reading),
    judgeTestData(reading),
    hasMlflowBundle(reading),
  ])
  if (isNotLaunched(profile)) return profile
  if (isNotLaunched(model)) return model
  if (isNotLaunched(testData)) return testData
  const warning = [model?.warning, testData?.warning].filter((words) => words !== undefined).join(' ')
  return { surroundings: { profile, modelSecret: model?.secret, hasMlflowCa }, ...(warning !== '' && { warning }) }
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

async function readSecret(reading: Reading): Promise<{ secret: ModelSecret; warning?: string } | NotLaunched | undefined> {
  const { api, settings, attempt, signal } = reading
  const name = modelOf(attempt)?.auth?.secret_ref
  if (!name) return undefined
  const namespace = namespaceOf(attempt, settings)
  const object = await found(api.core.readNamespacedSecret({ name, namespace }, within(signal)))
  if (!object) {
    return obstacle(
      `The Secret ${name} of the model does not exist in namespace ${namespace}. Create it there, for instance with a key api-key.`,
    )
  }
  const data = object.data ?? {}
  const secret = readModelSecret(name, data)
  if ('badKey' in secret) {
    return obstacle(
      `The Secret ${name} of the model in namespace ${namespace} has a key ${secret.badKey} that holds no http or https address.`,
    )
  }
  const judged = judge(reading, name, object, destinationsOf.model(attempt, settings, data))
  return isNotLaunched(judged) ? judged : { secret, ...judged }
}

/** Of a Secret of test data nothing but its list of hosts is read. One that is not there yet could have any. */
async function judgeTestData(reading: Reading): Promise<{ warning?: string } | NotLaunched | undefined> {
  const { api, settings, attempt, signal } = reading
  const sent = settings.modelSecretHosts === 'off' ? undefined : destinationsOf.testData(attempt, settings)
  if (!sent) return undefined
  const [name, namespace] = [sent.secret, namespaceOf(attempt, settings)]
  const object = await found(api.core.readNamespacedSecret({ name, namespace }, metadataOnly(within(signal))))
  if (!object) return obstacle(`The Secret ${name} of test_data_ref does not exist in namespace ${namespace}. Create it there.`)
  return judge(reading, name, object, sent.destinations)
}

function judge(
  { settings, attempt }: Reading,
  secret: string,
  { metadata }: V1Secret,
  destinations: readonly Destination[],
): { warning?: string } | NotLaunched {
  const { modelSecretHosts: mode } = settings
  if (mode === 'off') return {}
  const hosts = metadata?.annotations?.[HOSTS_ANNOTATION]
  const verdict = judgeHosts({ secret, namespace: namespaceOf(attempt, settings), hosts, destinations }, mode)
  if (!verdict) return {}
  return 'refusal' in verdict ? refused(verdict.refusal) : verdict
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
