import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
// As a whole: an older Node lacks the function, and would end at its name before it can say so.
import tls from 'node:tls'
import { connectionError } from './request-error.ts'

/** Keeps connections open between requests; redirects are never followed, so a key stays with the host it is for. */
export type Connection = { post: (url: URL, options: PostOptions) => Promise<IncomingMessage>; close: () => void }

type PostOptions = { headers: Record<string, string>; body: string; signal: AbortSignal }

type ConnectionOptions = {
  maxSockets: number
  /** PEM of a certificate authority to trust beside the known ones. */
  ca: string | undefined
}

/** Connections to one endpoint. `post` answers once the status is there; throws `RequestError`. */
export function openConnection({ maxSockets, ca }: ConnectionOptions): Connection {
  const options = { keepAlive: true, maxSockets }
  const http = new HttpAgent(options)
  const https = new HttpsAgent({ ...options, ...(ca !== undefined && { ca: [...tls.getCACertificates('default'), ca] }) })

  const postOnce = (url: URL, { headers, body, signal }: PostOptions, retryStale: boolean): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const secure = url.protocol === 'https:'
      const length = { 'content-length': String(Buffer.byteLength(body)) }
      const outgoing = (secure ? httpsRequest : httpRequest)(
        url,
        { method: 'POST', agent: secure ? https : http, headers: { ...headers, ...length }, signal },
        resolve,
      )
      outgoing.on('error', (error) => {
        if (signal.aborted) return reject(signal.reason)
        // A server may close an idle connection just as it is used again; nothing was answered, so a new one is tried once.
        const stale = outgoing.reusedSocket && 'code' in error && error.code === 'ECONNRESET'
        if (stale && retryStale) return resolve(postOnce(url, { headers, body, signal }, false))
        reject(connectionError(error))
      })
      outgoing.end(body)
    })

  return {
    post: (url, options) => postOnce(url, options, true),
    close: () => {
      http.destroy()
      https.destroy()
    },
  }
}
