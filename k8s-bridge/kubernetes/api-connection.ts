import { Agent as HttpAgent, request as requestPlain, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as requestTls, type RequestOptions } from 'node:https'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
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

/** Idle connections kept: as many as a burst of launches uses. Each takes tens of KB. */
const keptMax = 64

/** Requests with the credentials of `config`, over connections that are kept. */
export function connectTo(config: KubeConfig): SendToApi {
  const cluster = config.getCurrentCluster()
  const isTls = cluster?.server.startsWith('https:') ?? false
  const plain = new HttpAgent({ keepAlive: true, maxFreeSockets: keptMax })
  let tls: { files: string; agent: HttpsAgent } | undefined
  let credentials: { options: RequestOptions; sinceMs: number } | undefined

  /** TLS's files are read into one context for all connections: each of its own costs a millisecond, and memory that is given back late. */
  const withAgent = ({ ca, cert, key, pfx, passphrase, ...others }: RequestOptions): RequestOptions => {
    const given = Object.entries({ ca, cert, key, pfx, passphrase }).filter(([, value]) => value !== undefined)
    const files = JSON.stringify(given.map(([name, value]) => [name, String(value)]))
    if (tls?.files !== files) {
      const secureContext = createSecureContext(Object.fromEntries(given) as SecureContextOptions) // of these names and values
      tls = { files, agent: new HttpsAgent({ keepAlive: true, maxFreeSockets: keptMax, secureContext }) }
    }
    return { ...others, agent: tls.agent }
  }
  const readCredentials = async (): Promise<RequestOptions> => {
    const options: RequestOptions = {}
    await config.applyToHTTPSOptions(options)
    if (cluster?.proxyUrl) return options
    return isTls ? withAgent(options) : { ...options, agent: plain }
  }

  return async ({ method, url, headers, body, signal }) => {
    if (!credentials || performance.now() - credentials.sinceMs > credentialsMs) {
      credentials = { options: await readCredentials(), sinceMs: performance.now() }
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
