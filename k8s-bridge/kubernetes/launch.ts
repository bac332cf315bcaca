import type { V1ObjectMeta } from '@kubernetes/client-node'
import { attemptName, jobName } from '#shared/domain/attempt-key.ts'
import { makeRunToken } from '#shared/run-token.ts'
import { metadataOnly, within, type KubernetesApi } from './api.ts'
import { answerOf, explained, verdictOn, type NotLaunched } from './api-answer.ts'
import { namespaceOf, secretName, specName, type Attempt } from './attempt.ts'
import { attemptOf, isOfHub } from './labels.ts'
import { jobFor, secretFor, specFor } from './manifest.ts'
import { modelRefusal, refusalOf } from './refusal.ts'
import type { KubernetesSettings } from './settings.ts'
import { readSurroundings } from './surroundings.ts'

/** `warning`: of one line, for the run's user. */
export type Launch = { objectUid: string; warning?: string } | NotLaunched

/** `signal` ends before the lease does: what was not answered by then may have happened, and the next holder adopts it. */
export type LaunchInput = Attempt & { signal: AbortSignal }

/**
 * Launches an attempt: its Job, then the ConfigMap and the Secret that the Job owns, so that nothing outlives it.
 *
 * What is there already is adopted if it was made for this attempt by this hub, and what is missing of it is made: launching twice is
 * launching once. Throws, in words for a user, what a later try may mend: the API server was busy, failed, or did not answer.
 */
export async function launch(api: KubernetesApi, settings: KubernetesSettings, input: LaunchInput): Promise<Launch> {
  const { signal, ...attempt } = input
  const refusal = refusalOf(attempt.spec, settings) ?? modelRefusal(attempt.request)
  if (refusal) return { refused: refusal }
  try {
    const read = await readSurroundings({ api, settings, attempt, signal })
    if (!('surroundings' in read)) return read
    const objects = writerFor({ api, settings, attempt, signal })
    const job = await objects.job(jobFor(attempt, settings, read.surroundings))
    if (!('uid' in job)) return job
    const runToken = await makeRunToken(settings.runTokenKey, attempt)
    const [spec, secret] = await Promise.all([
      objects.spec(specFor(attempt, settings, read.surroundings, job.uid), job.uid),
      objects.secret(secretFor(attempt, settings, read.surroundings, { jobUid: job.uid, runToken }), job.uid),
    ])
    // What is final is said first: the other may only be late.
    const obstacle = [spec, secret].find((one) => 'refused' in one) ?? [spec, secret].find((one) => 'obstacle' in one)
    return obstacle ?? { objectUid: job.uid, ...(read.warning !== undefined && { warning: read.warning }) }
  } catch (error) {
    throw explained(error)
  }
}

type Writing = { api: KubernetesApi; settings: KubernetesSettings; attempt: Attempt; signal: AbortSignal }
type Written = { uid: string } | NotLaunched
type Stored = { metadata?: V1ObjectMeta }

/** Writes the three objects, each unless it is there. */
function writerFor(writing: Writing) {
  const { api, settings, attempt, signal } = writing
  const namespace = namespaceOf(attempt, settings)
  const options = metadataOnly(within(signal))
  return {
    job: (body: ReturnType<typeof jobFor>) =>
      write(writing, {
        kind: 'Job',
        create: () => api.batch.createNamespacedJob({ namespace, body }, options),
        read: () => api.batch.readNamespacedJob({ namespace, name: jobName(attempt) }, options),
      }),
    spec: (body: ReturnType<typeof specFor>, ownerUid: string) =>
      write(writing, {
        kind: 'ConfigMap',
        ownerUid,
        create: () => api.core.createNamespacedConfigMap({ namespace, body }, options),
        read: () => api.core.readNamespacedConfigMap({ namespace, name: specName(attempt) }, options),
      }),
    secret: (body: ReturnType<typeof secretFor>, ownerUid: string) =>
      write(writing, {
        kind: 'Secret',
        ownerUid,
        create: () => api.core.createNamespacedSecret({ namespace, body }, options),
        read: () => api.core.readNamespacedSecret({ namespace, name: secretName(attempt) }, options),
      }),
  }
}

type Wanted = { kind: string; ownerUid?: string; create: () => Promise<Stored>; read: () => Promise<Stored> }

async function write(writing: Writing, wanted: Wanted): Promise<Written> {
  try {
    return { uid: uidOf(await wanted.create()) }
  } catch (error) {
    const answer = answerOf(error)
    const verdict = answer ? verdictOn(answer, wanted.kind, namespaceOf(writing.attempt, writing.settings)) : 'again'
    if (verdict === 'again') throw error
    return verdict === 'exists' ? adopt(writing, wanted) : verdict
  }
}

/** What has our name is ours only if its labels say so; anybody with rights in the namespace may have made it. */
async function adopt({ settings, attempt }: Writing, { kind, ownerUid, read }: Wanted): Promise<Written> {
  const { metadata } = await read()
  const name = metadata?.name ?? ''
  const found = isOfHub(metadata?.labels, settings.hubId) ? attemptOf(metadata?.labels) : undefined
  if (!found || attemptName(found) !== attemptName(attempt)) {
    const message = `The ${kind} ${name} exists in namespace ${namespaceOf(attempt, settings)} and was not made by this hub for this run. Remove it and submit the job again.`
    return { refused: { failureClass: 'rejected', message } }
  }
  if (ownerUid !== undefined && !metadata?.ownerReferences?.some(({ uid }) => uid === ownerUid)) {
    throw new Error(`The ${kind} ${name} belongs to an earlier Job of the same name, and Kubernetes has not yet removed it`)
  }
  return { uid: uidOf({ metadata: metadata ?? {} }) }
}

function uidOf({ metadata }: Stored): string {
  if (!metadata?.uid) throw new Error('Kubernetes answered with an object without uid')
  return metadata.uid
}
