import { existsSync } from 'node:fs'
import {
  BatchV1Api,
  CoreV1Api,
  createConfiguration,
  CustomObjectsApi,
  HttpMethod,
  KubeConfig,
  Observable,
  RequestContext,
  ServerConfiguration,
  type ConfigurationOptions,
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

/** Credentials are read anew after so long: they may have been renewed on disk. */
const credentialsMs = 30_000

/**
 * Typed clients that share their connections. Each call ends within `timeoutMs`, or as `within` says.
 *
 * Not for watching and following: what the library offers for those stops for good on a dropped connection.
 */
export function connectKubernetes(config: KubeConfig, { timeoutMs = 10_000 } = {}): KubernetesApi {
  const server = config.getCurrentCluster()?.server ?? ''
  let kept: { credentials: RequestContext; sinceMs: number } | undefined
  const authentication = {
    getName: () => 'kubeconfig',
    async applySecurityAuthentication(context: RequestContext) {
      if (!kept || performance.now() - kept.sinceMs > credentialsMs) {
        // The library would make an agent, and with it a connection, for every call.
        const credentials = new RequestContext(server, HttpMethod.GET)
        await config.applySecurityAuthentication(credentials)
        kept = { credentials, sinceMs: performance.now() }
      }
      for (const [name, value] of Object.entries(kept.credentials.getHeaders())) context.setHeaderParam(name, value)
      const dispatcher = kept.credentials.getDispatcher()
      if (dispatcher) context.setDispatcher(dispatcher)
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
