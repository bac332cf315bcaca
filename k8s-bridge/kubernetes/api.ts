import { existsSync } from 'node:fs'
import {
  BatchV1Api,
  CoreV1Api,
  createConfiguration,
  CustomObjectsApi,
  KubeConfig,
  Observable,
  ServerConfiguration,
  type ConfigurationOptions,
  type RequestContext,
} from '@kubernetes/client-node'

/** The API server, as whom the kubeconfig names. */
export type KubernetesApi = {
  config: KubeConfig
  batch: BatchV1Api
  core: CoreV1Api
  custom: CustomObjectsApi
}

const serviceAccountToken = '/var/run/secrets/kubernetes.io/serviceaccount/token'

/** The cluster of the file `path`; without one the cluster that this process runs in, else the user's own kubeconfig. Throws if there is none. */
export function readKubeConfig(path?: string): KubeConfig {
  const config = new KubeConfig()
  if (path) config.loadFromFile(path)
  else if (existsSync(serviceAccountToken)) config.loadFromCluster()
  else config.loadFromDefault()
  const cluster = config.getCurrentCluster()
  // What the library falls back to.
  if (!cluster || cluster.server === 'http://localhost:8080') {
    throw new Error('There is no Kubernetes cluster to launch runs in: run in a pod with a service account, or set KUBECONFIG.')
  }
  return config
}

/** A connection's credentials are read anew after so long: they may have been renewed on disk. */
const dispatcherMs = 10 * 60_000

/**
 * Typed clients that keep their connections. Each call ends within `timeoutMs`, or as `within` says.
 *
 * Not for watching and following: what the library offers for those stops for good on a dropped connection.
 */
export function connectKubernetes(config: KubeConfig, { timeoutMs = 10_000 } = {}): KubernetesApi {
  const server = config.getCurrentCluster()?.server ?? ''
  let kept: { dispatcher: ReturnType<RequestContext['getDispatcher']>; sinceMs: number } | undefined
  const authentication = {
    getName: () => 'kubeconfig',
    async applySecurityAuthentication(context: RequestContext) {
      await config.applySecurityAuthentication(context)
      // The library makes a dispatcher, and with it a connection, for every call.
      if (!kept || performance.now() - kept.sinceMs > dispatcherMs)
        kept = { dispatcher: context.getDispatcher(), sinceMs: performance.now() }
      if (kept.dispatcher) context.setDispatcher(kept.dispatcher)
      context.setSignal(AbortSignal.timeout(timeoutMs))
    },
  }
  const configuration = createConfiguration({
    baseServer: new ServerConfiguration(server, {}),
    authMethods: { default: authentication },
  })
  return {
    config,
    batch: new BatchV1Api(configuration),
    core: new CoreV1Api(configuration),
    custom: new CustomObjectsApi(configuration),
  }
}

/** The last argument of a call that ends with `signal`, in place of the time-out of all calls. */
export const within = (signal: AbortSignal): ConfigurationOptions => ({
  middleware: [
    {
      pre(context) {
        context.setSignal(signal)
        return new Observable(Promise.resolve(context))
      },
      post: (response) => new Observable(Promise.resolve(response)),
    },
  ],
  middlewareMergeStrategy: 'append',
})
