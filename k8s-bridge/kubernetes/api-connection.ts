import { Agent as HttpAgent, request as requestPlain, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as requestTls, type RequestOptions } from 'node:https'
import type { KubeConfig } from '@kubernetes/client-node'

type ApiRequest = {
  method: string
  url: string
  headers?: Record<string, string>
  body?: string
  /** Ends the answer, too. What it throws then is the signal's reason. */
  signal: AbortSignal
}

/** Sends a request; whatever the status, its answer is the result, to be read as it comes. */
export type SendToApi = (request: ApiRequest) => Promise<IncomingMessage>

/** Credentials are read anew after so long: they may have been renewed on disk. */
const credentialsMs = 30_000

/** Requests with the credentials of `config`, over connections that are kept. */
export function connectTo(config: KubeConfig): SendToApi {
  const cluster = config.getCurrentCluster()
  const isTls = cluster?.server.startsWith('https:') ?? false
  const kept = cluster?.proxyUrl ? undefined : new (isTls ? HttpsAgent : HttpAgent)({ keepAlive: true })
  let credentials: { options: RequestOptions; sinceMs: number } | undefined

  return async ({ method, url, headers, body, signal }) => {
    if (!credentials || performance.now() - credentials.sinceMs > credentialsMs) {
      const options: RequestOptions = {}
      await config.applyToHTTPSOptions(options)
      if (kept) options.agent = kept
      credentials = { options, sinceMs: performance.now() }
    }
    const { options } = credentials
    return new Promise((resolve, reject) => {
      // Without it Node sends the body of a DELETE unframed, which is none.
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      const all = { ...options, method, signal, headers: { ...options.headers, ...headers, ...length } }
      const sent = (isTls ? requestTls : requestPlain)(url, all, resolve)
      sent.on('error', (error) => reject(signal.aborted ? signal.reason : error))
      sent.end(body)
    })
  }
}
