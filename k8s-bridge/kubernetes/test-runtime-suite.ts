import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, vi } from 'vitest'
import type { Pool } from '#db/client.ts'
import { cancelEvaluation } from '#db/commands/cancel-evaluation.ts'
import { findEvaluation } from '#db/queries/evaluations.ts'
import { getHubId } from '#db/queries/hub-id.ts'
import { specFor, storedRuns, submitSpecs } from '#db/test-evaluation.ts'
import { BenchmarkStatusEvent } from '#shared/models/event.ts'
import { recordEvent } from '#db/commands/record-event.ts'
import { makeNamespace, type TestOnCluster } from '../../test/cluster.ts'
import { startBridge, type Bridge } from '../bridge.ts'
import { signal } from '../test-bridge.ts'
import type { KubernetesApi } from './api.ts'
import { connectKubernetes, readKubeConfig } from './api.ts'
import { openKubernetesRuntime } from './open-runtime.ts'
import { startApiProxy } from './test-api-proxy.ts'
import { settings } from './test-attempt.ts'
import { collect, endPod, jobOf, runPod } from './test-kubelet.ts'

const image = { runtime: { k8s: { Image: 'localhost/adapter:1', CPURequest: '', CPULimit: '', MemoryRequest: '', MemoryLimit: '' } } }
const spec = specFor('', image)

/** `test` with bridges on the cluster, which are stopped at its end, and a tenant that is a namespace. */
const withBridges = (base: TestOnCluster) =>
  base
    .extend('tenant', async ({ makeNamespace }) => makeNamespace())
    .extend('start', async ({ db, kubeconfig }, { onCleanup }) => {
      const bridges: Bridge[] = []
      onCleanup(async () => void (await Promise.all(bridges.map((bridge) => bridge.stop()))))
      return async (changed: Partial<typeof settings> = {}) => {
        const bridge = await startOn(db, kubeconfig, changed)
        bridges.push(bridge)
        return bridge
      }
    })

async function startOn(db: Pool, kubeconfig: string, changed: Partial<typeof settings> = {}): Promise<Bridge & { errors: unknown[] }> {
  const errors: unknown[] = []
  const onError = (error: unknown) => void errors.push(error)
  const runtime = openKubernetesRuntime({
    db,
    kubeConfig: readKubeConfig(kubeconfig),
    settings: { ...settings, ...changed, hubId: await getHubId(db) },
    followedMax: 10,
    limits: { perTenant: 50, total: 100 },
    waitLimits: { missingSeconds: 600, capacitySeconds: 3600, queueSeconds: 7200 },
    onError,
    onRestart: () => {},
  })
  const bridge = await startBridge({ db, runtime, holder: `test-${randomUUID()}`, onError, intervalMs: 200 })
  return { ...bridge, errors }
}

/** What the sidecar of an attempt posts. */
const report = (db: Pool, evaluationId: string, status: string, more: object = {}, attempt = 1) => {
  const event = BenchmarkStatusEvent.parse({ provider_id: 'provider', id: 'benchmark', status, ...more })
  const now = new Date().toISOString()
  return recordEvent(db, { evaluationId, event, attempt }, now)
}

const becomes = (db: Pool, id: string, run: object) =>
  vi.waitFor(async () => expect(await storedRuns(db, id)).toMatchObject([run]), { timeout: 20_000, interval: 50 })

const statusOf = async (db: Pool, tenant: string, id: string) =>
  (await findEvaluation(db, { tenant, user: '', everyTenant: false }, id))?.status.benchmarks[0]

const labelsOf = async (api: KubernetesApi, namespace: string, id: string, attempt = 1) =>
  (await jobOf(api, namespace, id, attempt)).metadata?.labels ?? {}

/** What the bridge guarantees of the Jobs that it launches, on whatever API server `base` runs. */
export function describeRuntime(base: TestOnCluster): void {
  const test = withBridges(base)
  describe('the bridge on Kubernetes', () => {
    test('runs a benchmark as a Job, shows its phase, and settles it', async ({ db, api, tenant, start }) => {
      await start()
      const id = await submitSpecs(db, [spec], { tenant })
      await signal(db)
      const job = await jobOf(api, tenant, id)
      await vi.waitFor(async () =>
        expect((await statusOf(db, tenant, id))?.warning_message?.message).toMatch(/waits for Kubernetes to make its pod/),
      )
      const pod = await runPod(api, job)
      await vi.waitFor(async () =>
        expect((await statusOf(db, tenant, id))?.warning_message?.message).toMatch(/has been started and has not reported/),
      )

      await report(db, id, 'running')
      await vi.waitFor(async () =>
        expect(await labelsOf(api, tenant, id)).toMatchObject({ 'trustyai.opendatahub.io/evaluation-phase': 'Running' }),
      )
      expect((await statusOf(db, tenant, id))?.warning_message).toBeUndefined()
      await report(db, id, 'completed', { metrics: { acc: 0.5 } })
      await endPod(api, job, pod, 0)

      await becomes(db, id, { state: 'completed', is_settled: true })
      expect(await labelsOf(api, tenant, id)).toMatchObject({
        'trustyai.opendatahub.io/evaluation-phase': 'Completed',
        'eval-hub.github.io/sealed': 'true',
      })
      expect((await jobOf(api, tenant, id)).spec?.ttlSecondsAfterFinished).toBe(3600)
      const { items } = await api.core.listNamespacedEvent({ namespace: tenant })
      expect(items.map(({ reason }) => reason)).toEqual(expect.arrayContaining(['EvaluationRunning', 'EvaluationCompleted']))
      expect(await db`select node from evalhub.attempts where evaluation_id = ${id}`).toEqual([{ node: 'node-1' }])
    })

    test('tells who reads a run, to its end, that its Secret could have been sent anywhere', async ({ db, api, tenant, start }) => {
      await start()
      await api.core.createNamespacedSecret({ namespace: tenant, body: { metadata: { name: 'keys' }, stringData: { 'api-key': 'sk-1' } } })
      const id = await submitSpecs(db, [spec], { tenant, secretRef: 'keys' })
      await signal(db)
      const job = await jobOf(api, tenant, id)
      await vi.waitFor(async () => expect((await statusOf(db, tenant, id))?.warning_message?.message).toContain('The Secret keys'))
      const pod = await runPod(api, job)
      await report(db, id, 'running')
      await report(db, id, 'completed', {
        metrics: { acc: 0.5 },
        warning_message: { message: 'Two items were skipped.', message_code: 'x' },
      })
      await endPod(api, job, pod, 0)
      await becomes(db, id, { state: 'completed', is_settled: true })
      expect((await statusOf(db, tenant, id))?.warning_message?.message).toMatch(
        /^The Secret keys .* can have it sent anywhere: here model\.url to localhost\. .*='localhost'\nTwo items were skipped\.$/,
      )
    })

    test('fails a run whose Secret says nothing of its hosts where it must, with the command that mends it', async ({
      db,
      api,
      tenant,
      start,
    }) => {
      await start({ modelSecretHosts: 'require' })
      await api.core.createNamespacedSecret({ namespace: tenant, body: { metadata: { name: 'keys' }, stringData: { 'api-key': 'sk-1' } } })
      const id = await submitSpecs(db, [spec], { tenant, secretRef: 'keys' })
      await signal(db)
      const message = expect.stringContaining(`kubectl -n ${tenant} annotate secret keys evalhub/hosts='localhost'`)
      await becomes(db, id, { state: 'failed', attempt: 1, message, is_settled: true })
      expect(
        (await api.core.listNamespacedConfigMap({ namespace: tenant })).items.filter(({ metadata }) => metadata?.name?.includes(id)),
      ).toEqual([])
    })

    test('takes an adapter’s own words for its failure, and nothing is launched again', async ({ db, api, tenant, start }) => {
      await start()
      const id = await submitSpecs(db, [spec], { tenant })
      await signal(db)
      const job = await jobOf(api, tenant, id)
      const pod = await runPod(api, job)
      await report(db, id, 'failed', { error_message: { message: 'The data set is empty.', message_code: 'x' } })
      await becomes(db, id, { state: 'running' })
      await endPod(api, job, pod, 1)
      await becomes(db, id, { state: 'failed', attempt: 1, message: 'The data set is empty.', is_settled: true })
    })

    test('fails a run whose adapter ends without a report, with its exit code', async ({ db, api, tenant, start }) => {
      await start()
      const id = await submitSpecs(db, [spec], { tenant })
      await signal(db)
      const job = await jobOf(api, tenant, id)
      await endPod(api, job, await runPod(api, job), 7)
      await becomes(db, id, { state: 'failed', message: expect.stringContaining('exit code 7'), is_settled: true })
    })

    test('launches another attempt of a Job that somebody has deleted', async ({ db, api, tenant, start }) => {
      await start()
      const id = await submitSpecs(db, [spec], { tenant })
      await signal(db)
      await jobOf(api, tenant, id)
      await vi.waitFor(async () => expect(await storedRuns(db, id)).toMatchObject([{ queued: 0 }]))
      await db`update evalhub.attempts set launched_at = launched_at - interval '1 minute' where evaluation_id = ${id}`
      await api.batch.deleteNamespacedJob({ namespace: tenant, name: `evalhub-${id}-0-1`, body: { propagationPolicy: 'Background' } })
      await becomes(db, id, { state: 'pending', attempt: 2 })
      expect((await statusOf(db, tenant, id))?.warning_message?.message).toMatch(
        /deleted by somebody other than EvalHub.*Attempt 2 will be launched in 10 s/,
      )
      await db`update evalhub.launch_queue set due_at = now()`
      expect((await jobOf(api, tenant, id, 2)).metadata?.labels).toMatchObject({ 'eval-hub.github.io/attempt': '2' })
    })

    test('removes what a cancelled job has launched, and settles it', async ({ db, api, tenant, start }) => {
      await start()
      const id = await submitSpecs(db, [spec], { tenant })
      await signal(db)
      const job = await jobOf(api, tenant, id)
      const pod = await runPod(api, job)
      await cancelEvaluation(db, { tenant, user: '', everyTenant: false }, id, new Date().toISOString())
      await signal(db)
      await vi.waitFor(async () => expect((await jobOf(api, tenant, id)).metadata?.deletionTimestamp).toBeDefined())
      await api.core.deleteNamespacedPod({ namespace: tenant, name: pod.metadata!.name!, gracePeriodSeconds: 0 })
      await collect(api, job)
      await becomes(db, id, { state: 'cancelled', is_settled: true })
    })

    test('says that a quota has no room for a run, and launches it when there is some', async ({ db, api, tenant, start }) => {
      const body = { metadata: { name: 'none' }, spec: { hard: { 'count/jobs.batch': '0' } } }
      const quota = await api.core.createNamespacedResourceQuota({ namespace: tenant, body })
      const status = { hard: { 'count/jobs.batch': '0' }, used: { 'count/jobs.batch': '0' } }
      await api.core.replaceNamespacedResourceQuotaStatus({ namespace: tenant, name: 'none', body: { ...quota, status } })
      await start()
      const id = await submitSpecs(db, [spec], { tenant })
      await signal(db)
      const exceeded = expect.stringMatching(/exceeded quota: none/)
      await vi.waitFor(async () => expect((await statusOf(db, tenant, id))?.warning_message?.message).toEqual(exceeded), {
        timeout: 10_000,
      })
      expect(await storedRuns(db, id)).toMatchObject([{ state: 'pending', queued: 1 }])
      await api.core.deleteNamespacedResourceQuota({ namespace: tenant, name: 'none' })
      await jobOf(api, tenant, id)
    })

    // Guarantee: a bridge that was away neither loses a run nor launches it twice.
    test('another bridge goes on where one has stopped', async ({ db, api, tenant, start }) => {
      const first = await start()
      const id = await submitSpecs(db, [spec], { tenant })
      await signal(db)
      const job = await jobOf(api, tenant, id)
      const pod = await runPod(api, job)
      await report(db, id, 'running')
      await first.stop()
      await report(db, id, 'completed')
      await endPod(api, job, pod, 0)
      await start()
      await becomes(db, id, { state: 'completed', attempt: 1, is_settled: true })
      expect((await api.batch.listNamespacedJob({ namespace: tenant })).items).toHaveLength(1)
    })

    // Guarantee: of a pod that has run, neither the reason of its end nor its last words are missed, however late the watch of pods is.
    test('judges no Job by itself while its pod is there and was not seen', async ({ db, startOwn, onTestFinished }) => {
      const own = await startOwn()
      const config = readKubeConfig(own.kubeconfig)
      const api = connectKubernetes(config)
      const proxy = await startApiProxy(config.getCurrentCluster()!.server, own.certificate)
      onTestFinished(() => proxy.close())
      const file = `${own.kubeconfig}-proxy`
      await writeFile(file, (await readFile(own.kubeconfig, 'utf8')).replace(config.getCurrentCluster()!.server, proxy.url))
      proxy.silence(/\/pods\?.*watch=/)
      const bridge = await startOn(db, file)
      onTestFinished(() => bridge.stop())
      const tenant = await makeNamespace(api)
      const id = await submitSpecs(db, [spec], { tenant })
      await signal(db)
      const job = await jobOf(api, tenant, id)
      await endPod(api, job, await runPod(api, job), 7)
      await vi.waitFor(() => expect(bridge.errors.map(String)).toContainEqual(expect.stringContaining('was not seen yet')), {
        timeout: 10_000,
      })
      expect(await storedRuns(db, id)).toMatchObject([{ state: 'pending', attempt: 1 }])
      proxy.silence(undefined)
      proxy.cut()
      await becomes(db, id, { state: 'failed', attempt: 1, message: expect.stringContaining('exit code 7'), is_settled: true })
    })
  })
}
