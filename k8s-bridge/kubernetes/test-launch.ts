import { randomUUID } from 'node:crypto'
import { jobName } from '#shared/domain/attempt-key.ts'
import type { KubernetesApi } from './api.ts'
import { secretName, specName, type Attempt } from './attempt.ts'
import { launch as launchAttempt } from './launch.ts'
import { attemptFor, settings, type Changes } from './test-attempt.ts'

/** An attempt of an evaluation of its own. */
export const attemptIn = (tenant: string, changes: Changes = {}): Attempt => attemptFor({ evaluationId: randomUUID(), tenant, ...changes })

/** Launches it with the settings of tests, but for `changed`. */
export const launch = (api: KubernetesApi, attempt: Attempt, changed: Partial<typeof settings> = {}) =>
  launchAttempt(api, { ...settings, ...changed }, { ...attempt, signal: AbortSignal.timeout(8000) })

/** The three objects of an attempt; undefined for one that is not there. */
export async function objectsOf(api: KubernetesApi, attempt: Attempt) {
  const namespace = attempt.tenant
  const orAbsent = async <T>(read: Promise<T>) => read.catch(() => undefined)
  return {
    job: await orAbsent(api.batch.readNamespacedJob({ namespace, name: jobName(attempt) })),
    spec: await orAbsent(api.core.readNamespacedConfigMap({ namespace, name: specName(attempt) })),
    secret: await orAbsent(api.core.readNamespacedSecret({ namespace, name: secretName(attempt) })),
  }
}

/** A quota named small of which nothing is used, as its controller would leave it. */
export async function makeQuota(api: KubernetesApi, namespace: string, hard: Record<string, string>) {
  const name = 'small'
  await api.core.createNamespacedResourceQuota({ namespace, body: { metadata: { name }, spec: { hard } } })
  const used = Object.fromEntries(Object.keys(hard).map((resource) => [resource, '0']))
  await api.core.replaceNamespacedResourceQuotaStatus({
    namespace,
    name,
    body: { metadata: { name }, spec: { hard }, status: { hard, used } },
  })
}
