import { existsSync } from 'node:fs'
import {
  BatchV1Api,
  CoreV1Api,
  createConfiguration,
  CustomObjectsApi,
  KubeConfig,
  Observable,
  ResponseContext,
  ServerConfiguration,
  setHeaderOptions,
  type ConfigurationOptions,
  type RequestContext,
} from '@kubernetes/client-node'
import { connectTo, type SendToApi } from './api-connection.ts'

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

/**
 * Typed clients that share their connections. Each call ends within `timeoutMs`, or as `within` says.
 *
 * Not for watching and following: what the library offers for those stops for good on a dropped connection.
 */
export function connectKubernetes(config: KubeConfig, { timeoutMs = 10_000 } = {}): KubernetesApi {
  const send = connectTo(config)
  const configuration = createConfiguration({
    baseServer: new ServerConfiguration(config.getCurrentCluster()?.server ?? '', {}),
    // The library's own goes through the streams of fetch, which cost more than all the rest of a call.
    httpApi: { send: (request) => new Observable(answerTo(request, send, timeoutMs)) },
  })
  return {
    config,
    batch: new BatchV1Api(configuration),
    core: new CoreV1Api(configuration),
    custom: new CustomObjectsApi(configuration),
  }
}

async function answerTo(request: RequestContext, send: SendToApi, timeoutMs: number): Promise<ResponseContext> {
  const body = request.getBody()
  if (body !== undefined && typeof body !== 'string') throw new Error('no form is ever sent to Kubernetes')
  const signal = request.getSignal() ?? AbortSignal.timeout(timeoutMs)
  const answer = await send({
    method: request.getHttpMethod(),
    url: request.getUrl(),
    headers: request.getHeaders(),
    ...(body !== undefined && { body }),
    signal,
  })
  const whole = await readAll(answer, signal)
  const headers = Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, String(value)]))
  return new ResponseContext(answer.statusCode ?? 0, headers, {
    text: async () => whole.toString(),
    binary: async () => whole,
    stream: () => null,
  })
}

async function readAll(answer: AsyncIterable<Buffer>, signal: AbortSignal): Promise<Buffer> {
  try {
    const chunks: Buffer[] = []
    for await (const chunk of answer) chunks.push(chunk)
    return Buffer.concat(chunks)
  } catch (error) {
    throw signal.aborted ? signal.reason : error
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

const metadataOf = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json'

/** Options of a call of whose answer only the object's metadata is read: the server writes, and this process reads, no more than that. */
export const metadataOnly = (options?: ConfigurationOptions): ConfigurationOptions => setHeaderOptions('Accept', metadataOf, options)
