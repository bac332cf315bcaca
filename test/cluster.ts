import { randomUUID } from 'node:crypto'
import { KubeConfig, type V1Namespace } from '@kubernetes/client-node'
import { inject } from 'vitest'
import { test as base } from '#db/test-db.ts'
import { connectKubernetes, readKubeConfig, type KubernetesApi } from '#k8s-bridge/kubernetes/api.ts'
import { findBinaries, startControlPlane, type ApiServer } from './control-plane.ts'

declare module 'vitest' {
  // oxlint-disable-next-line typescript/consistent-type-definitions -- vitest's own is merged with this one
  interface ProvidedContext {
    /** The run's cluster, from test/start-cluster.ts; absent where there is none. */
    cluster: { kubeconfig: string } | undefined
    /** A control plane on which no controller acts; absent where there are no binaries of one. */
    bareCluster: { kubeconfig: string } | undefined
  }
}

export const NO_CLUSTER =
  'there is no Kubernetes: set KUBECONFIG (a cluster) or KUBEBUILDER_ASSETS (a directory with etcd and kube-apiserver) to run this'

type Skip = (note?: string) => never

/** Where tests find API servers: the file of the administrator of one for all, and how to start one for a test alone. */
type Clusters = { kubeconfig(skip: Skip): Promise<string>; startOwn(skip: Skip): Promise<ApiServer> }

const NO_BINARIES = 'it plays the controllers of a cluster: set KUBEBUILDER_ASSETS (a directory with etcd and kube-apiserver) to run this'

/**
 * `test` with an API server, and the database of `db/test-db.ts`.
 *
 * `kubeconfig` is the file of an administrator, `api` has its typed clients, `makeNamespace` makes namespaces that go at the test's end, and
 * `connectAs` speaks as a service account, with no rights but those that the test gives it. `startOwn` starts an API server for this test
 * alone, which it may kill.
 */
export const testOn = (clusters: Clusters) =>
  base
    .extend('kubeconfig', ({ skip }) => clusters.kubeconfig(skip))
    .extend('api', async ({ kubeconfig }) => connectKubernetes(readKubeConfig(kubeconfig)))
    .extend('makeNamespace', async ({ api }, { onCleanup }) => {
      const made: string[] = []
      onCleanup(async () => void (await Promise.all(made.map((name) => removeNamespace(api, name)))))
      return async (labels: Record<string, string> = {}): Promise<string> => {
        const name = await makeNamespace(api, labels)
        made.push(name)
        return name
      }
    })
    .extend(
      'connectAs',
      async ({ api }) =>
        (namespace: string, serviceAccount: string) =>
          connectAs(api, namespace, serviceAccount),
    )
    .extend('startOwn', async ({ skip }, { onCleanup }) => {
      const stops: (() => Promise<void>)[] = []
      onCleanup(async () => void (await Promise.all(stops.map((stop) => stop()))))
      return async (): Promise<ApiServer> => {
        const own = await clusters.startOwn(skip)
        stops.push(own.stop)
        return own
      }
    })

/** For suites that run on API servers of more than one kind. */
export type TestOnCluster = ReturnType<typeof testOn>

const startOwn = (skip: Skip) => startControlPlane(findBinaries() ?? skip(NO_CLUSTER))

/** On a real API server. Skipped, with the reason, where there is none. */
export const test = testOn({ kubeconfig: async (skip) => inject('cluster')?.kubeconfig ?? skip(NO_CLUSTER), startOwn })

/** The same for tests that play the job controller, the scheduler and the kubelet, and would meet real ones on the cluster of `KUBECONFIG`. */
export const bareTest = testOn({ kubeconfig: async (skip) => inject('bareCluster')?.kubeconfig ?? skip(NO_BINARIES), startOwn })

/** With the service account that the controller manager, where there is one, makes as well. */
export async function makeNamespace({ core }: KubernetesApi, labels: Record<string, string> = {}): Promise<string> {
  const name = `test-${randomUUID()}`
  const body: V1Namespace = { metadata: { name, labels } }
  await core.createNamespace({ body })
  await core
    .createNamespacedServiceAccount({ namespace: name, body: { metadata: { name: 'default' } } })
    .catch((error: { code?: number }) => {
      if (error.code !== 409) throw error
    })
  return name
}

/** Unless the test has. */
async function removeNamespace({ core }: KubernetesApi, name: string): Promise<void> {
  await core.deleteNamespace({ name }).catch((error: { code?: number }) => {
    if (error.code !== 404) throw error
  })
}

async function connectAs(api: KubernetesApi, namespace: string, name: string): Promise<KubernetesApi> {
  const { status } = await api.core.createNamespacedServiceAccountToken({ namespace, name, body: { spec: { audiences: [] } } })
  const config = new KubeConfig()
  const cluster = api.config.getCurrentCluster()
  config.loadFromClusterAndUser({ ...cluster!, name: 'test' }, { name, token: status?.token ?? '' })
  return connectKubernetes(config)
}
