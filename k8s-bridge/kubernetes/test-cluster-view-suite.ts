import { BatchV1Api, CoreV1Api, KubeConfig, type V1OwnerReference } from '@kubernetes/client-node'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { ApiServer } from '../../test/control-plane.ts'
import { connectKubernetes, type KubernetesApi } from './api.ts'
import { streamFrom, type OpenStream } from './api-stream.ts'
import { viewCluster, type ClusterView } from './cluster-view.ts'
import { makeWorkload } from './test-api.ts'

const labels = (hub: string, attempt = 1) => ({
  job_id: '0197a5c0-1234-7abc-8def-0123456789ab',
  benchmark_index: '0',
  'eval-hub.github.io/hub': hub,
  'eval-hub.github.io/attempt': String(attempt),
})
const podSpec = { restartPolicy: 'Never', containers: [{ name: 'adapter', image: 'i' }] }

const unlessThere = (error: { code?: number }) => {
  if (error.code !== 409) throw error
}

/** What the picture of a hub’s attempts guarantees, on whatever API server `start` starts. */
export function describeClusterView(start: () => Promise<ApiServer>): void {
  describe('viewCluster', () => {
    let server: ApiServer
    let config: KubeConfig
    let batch: BatchV1Api
    let core: CoreV1Api
    let api: KubernetesApi
    const opened: ClusterView[] = []

    beforeAll(async () => {
      server = await start()
      config = new KubeConfig()
      config.loadFromFile(server.kubeconfig)
      batch = config.makeApiClient(BatchV1Api)
      core = config.makeApiClient(CoreV1Api)
      api = connectKubernetes(config)
      for (const namespace of ['team-a', 'team-b']) {
        await makeNamespace(namespace)
        await makeJob(namespace, 'hub-1')
        await makeJob(namespace, 'hub-2', 2)
      }
    }, 120_000)
    afterEach(async () => void (await Promise.all(opened.splice(0).map((one) => one.close()))))
    afterAll(() => server.stop())

    const makeNamespace = async (name: string) => {
      await core.createNamespace({ body: { metadata: { name } } }).catch(unlessThere)
      await core.createNamespacedServiceAccount({ namespace: name, body: { metadata: { name: 'default' } } }).catch(unlessThere)
    }

    const makePod = (namespace: string, name: string, hub: string, owner?: V1OwnerReference) =>
      core.createNamespacedPod({
        namespace,
        body: { metadata: { name, labels: labels(hub), ...(owner && { ownerReferences: [owner] }) }, spec: podSpec },
      })

    const makeJob = (namespace: string, hub: string, attempt = 1, more: Record<string, string> = {}) =>
      batch.createNamespacedJob({
        namespace,
        body: {
          metadata: { name: `evalhub-${hub}-${attempt}`, labels: { ...labels(hub, attempt), ...more } },
          spec: { backoffLimit: 0, template: { metadata: { labels: labels(hub, attempt) }, spec: podSpec } },
        },
      })

    const view = async (hubId: string, namespaces?: readonly string[], open: OpenStream = streamFrom(config)): Promise<ClusterView> => {
      const fail = (error: unknown) => expect.fail(String(error))
      const seen = viewCluster({
        open,
        hubId,
        ...(namespaces && { namespaces }),
        onChange: () => {},
        onRestart: () => {},
        onError: fail,
      })
      opened.push(seen)
      await vi.waitFor(() => expect(seen.isSynced()).toBe(true), 10_000)
      return seen
    }

    test('shows this hub’s attempts only, in all namespaces or in those that it is given', async () => {
      const everywhere = await view('hub-2')
      const attempts = [...everywhere.attempts()]
      expect(attempts).toMatchObject([{ attempt: 2, isThere: true }])
      await everywhere.close()

      const nowhere = await view('hub-2', ['default'])
      expect([...nowhere.attempts()]).toEqual([])
      await nowhere.close()
    })

    test('shows the warnings about a Job, and no others', async () => {
      const seen = await view('hub-1', ['team-a'])
      const job = await batch.readNamespacedJob({ namespace: 'team-a', name: 'evalhub-hub-1-1' })
      const about = { kind: 'Job', namespace: 'team-a', name: job.metadata!.name!, uid: job.metadata!.uid! }
      for (const [name, type] of [
        ['warning', 'Warning'],
        ['normal', 'Normal'],
      ] as const) {
        const body = { metadata: { name, namespace: 'team-a' }, involvedObject: about, type, reason: 'FailedCreate', message: name }
        await core.createNamespacedEvent({ namespace: 'team-a', body })
      }
      await vi.waitFor(() => expect([...seen.attempts()][0]?.shown.events).toMatchObject([{ message: 'warning' }]), 10_000)
    })

    // Guarantee: strangers share a cluster, and a hub reads nothing of what is not its own but warnings in the namespaces of its own tenants.
    test('reads no object of another hub, of another namespace, or that is about neither a Job nor a pod', async () => {
      await makeNamespace('strangers')
      await makeJob('strangers', 'stranger')
      await makePod('strangers', 'stranger', 'hub-3')
      for (const [namespace, kind, name] of [
        ['strangers', 'Pod', 'stranger-pod'],
        ['strangers', 'Job', 'stranger-job'],
        ['team-a', 'Service', 'stranger-service'],
        ['team-a', 'Pod', 'evalhub-own'],
      ] as const) {
        const involvedObject = { kind, namespace, name, uid: 'u' }
        const body = { metadata: { name: `${name}.1`, namespace }, involvedObject, type: 'Warning', reason: 'Failed', message: name }
        await core.createNamespacedEvent({ namespace, body })
      }
      await makeWorkload(api, 'strangers', 'stranger-workload')
      await makeWorkload(api, 'team-b', 'workload-of-a-tenant-without-a-queue')
      const read: string[] = []
      const open: OpenStream = async (path, signal) => {
        const body = await streamFrom(config)(path, signal)
        return (async function* () {
          for await (const chunk of body) {
            read.push(chunk.toString())
            yield chunk
          }
        })()
      }
      await view('hub-1', undefined, open)
      await vi.waitFor(() => expect(read.join('')).toContain('evalhub-own'), 10_000)
      expect(read.join('').match(/[a-z-]*stranger[a-z-]*|workload-of-a-tenant-without-a-queue|"hub-[23]"/g)).toBeNull()
    })

    test('looks for warnings and for Kueue’s workloads where a Job of its own is or comes to be', async () => {
      await makeNamespace('team-c')
      const seen = await view('hub-4')
      expect([...seen.attempts()]).toEqual([])
      await makeJob('team-c', 'hub-4', 1, { 'kueue.x-k8s.io/queue-name': 'q' })
      const job = await batch.readNamespacedJob({ namespace: 'team-c', name: 'evalhub-hub-4-1' })
      const about = { kind: 'Job', namespace: 'team-c', name: job.metadata!.name!, uid: job.metadata!.uid! }
      await makeWorkload(api, 'team-c', 'w', { kind: 'Job', apiVersion: 'batch/v1', name: about.name, uid: about.uid })
      const body = { metadata: { name: 'late', namespace: 'team-c' }, involvedObject: about, type: 'Warning', reason: 'FailedCreate' }
      await core.createNamespacedEvent({ namespace: 'team-c', body })
      await vi.waitFor(
        () =>
          expect([...seen.attempts()][0]?.shown).toMatchObject({ events: [{ reason: 'FailedCreate' }], workload: { jobUid: about.uid } }),
        10_000,
      )
    })

    // Guarantee: labels are anybody's to write. What another tenant makes with ours changes nothing about a run.
    test.each(['team-c', 'team-d'])(
      'takes a pod for one of an attempt only if its Job owns it, in whatever namespace it is: %s',
      async (other) => {
        await makeNamespace(other)
        await makeNamespace('team-d')
        const hub = `hub-of-${other}`
        await makeJob('team-d', hub)
        const { metadata } = await batch.readNamespacedJob({ namespace: 'team-d', name: `evalhub-${hub}-1` })
        const own = { apiVersion: 'batch/v1', kind: 'Job', name: metadata!.name!, uid: metadata!.uid!, controller: true }
        const seen = await view(hub)
        await makePod(other, `forged-${hub}`, hub)
        if (other !== 'team-d') {
          await makePod(other, `owned-${hub}`, hub, own)
          await makeJob(other, hub)
        }
        // Of each kind, what was made before these has been seen once these are.
        await makePod('team-d', `own-${hub}`, hub, own)
        await makeJob('team-d', hub, 2)
        const attempts = () => [...seen.attempts()]
        await vi.waitFor(() => expect(attempts()).toMatchObject([{ shown: { pods: [{ name: `own-${hub}` }] } }, { attempt: 2 }]), 10_000)
        expect(attempts()).toMatchObject([
          { shown: { job: { namespace: 'team-d', uid: own.uid }, pods: [{ name: `own-${hub}` }] } },
          { attempt: 2 },
        ])
      },
    )

    test('remembers a pod that is deleted at once', async () => {
      const { metadata } = await batch.readNamespacedJob({ namespace: 'team-b', name: 'evalhub-hub-1-1' })
      const owner = { apiVersion: 'batch/v1', kind: 'Job', name: metadata!.name!, uid: metadata!.uid!, controller: true }
      await makePod('team-b', 'short', 'hub-1', owner)
      const seen = await view('hub-1', ['team-b'])
      await core.deleteNamespacedPod({ namespace: 'team-b', name: 'short', gracePeriodSeconds: 0 })
      await vi.waitFor(() => {
        expect([...seen.attempts()]).toMatchObject([{ isThere: true, shown: { pods: [], gone: [{ name: 'short' }] } }])
      }, 10_000)
    })
  })
}
