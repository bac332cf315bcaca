import { BatchV1Api, CoreV1Api, KubeConfig } from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { findBinaries, startControlPlane, type ControlPlane } from '../../test/control-plane.ts'
import { streamFrom } from './api-stream.ts'
import { viewCluster, type ClusterView } from './cluster-view.ts'

const binaries = findBinaries()
if (!binaries)
  console.warn('Tests of the cluster’s picture are skipped: set KUBEBUILDER_ASSETS to a directory with etcd and kube-apiserver.')

const labels = (hub: string, attempt = 1) => ({
  job_id: '0197a5c0-1234-7abc-8def-0123456789ab',
  benchmark_index: '0',
  'eval-hub.github.io/hub': hub,
  'eval-hub.github.io/attempt': String(attempt),
})
const podSpec = { restartPolicy: 'Never', containers: [{ name: 'adapter', image: 'i' }] }

describe.skipIf(!binaries)('viewCluster', () => {
  let server: ControlPlane
  let config: KubeConfig
  let batch: BatchV1Api
  let core: CoreV1Api

  beforeAll(async () => {
    server = await startControlPlane(binaries!)
    config = new KubeConfig()
    config.loadFromFile(server.kubeconfig)
    batch = config.makeApiClient(BatchV1Api)
    core = config.makeApiClient(CoreV1Api)
    for (const namespace of ['team-a', 'team-b']) {
      await core.createNamespace({ body: { metadata: { name: namespace } } })
      await makeJob(namespace, 'hub-1')
      await makeJob(namespace, 'hub-2', 2)
    }
  }, 120_000)
  afterAll(() => server.stop())

  const makeJob = (namespace: string, hub: string, attempt = 1) =>
    batch.createNamespacedJob({
      namespace,
      body: {
        metadata: { name: `evalhub-${hub}-${attempt}`, labels: labels(hub, attempt) },
        spec: { backoffLimit: 0, template: { metadata: { labels: labels(hub, attempt) }, spec: podSpec } },
      },
    })

  const view = async (hubId: string, namespaces?: readonly string[]): Promise<ClusterView> => {
    const fail = (error: unknown) => expect.fail(String(error))
    const seen = viewCluster({
      open: streamFrom(config),
      hubId,
      ...(namespaces && { namespaces }),
      onChange: () => {},
      onRestart: () => {},
      onError: fail,
    })
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
    await seen.close()
  })

  test('remembers a pod that is deleted at once', async () => {
    await core.createNamespacedServiceAccount({ namespace: 'team-b', body: { metadata: { name: 'default' } } })
    await core.createNamespacedPod({ namespace: 'team-b', body: { metadata: { name: 'short', labels: labels('hub-1') }, spec: podSpec } })
    const seen = await view('hub-1', ['team-b'])
    await core.deleteNamespacedPod({ namespace: 'team-b', name: 'short', gracePeriodSeconds: 0 })
    await vi.waitFor(() => {
      expect([...seen.attempts()]).toMatchObject([{ isThere: true, shown: { pods: [], gone: [{ name: 'short' }] } }])
    }, 10_000)
    await seen.close()
  })
})
