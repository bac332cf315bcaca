import type { IncomingMessage } from 'node:http'
import type { KubeConfig } from '@kubernetes/client-node'
import { connectTo } from './api-connection.ts'

/** Asks the API server for a path with its query. Ending `signal` ends the answer, too. */
export type OpenStream = (path: string, signal: AbortSignal) => Promise<AsyncIterable<Buffer>>

/** What the API server answers instead of what it was asked for. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure'
  readonly status: number
  /** What the server asks to wait before the next try. */
  readonly retryAfterSeconds: number | undefined

  constructor(status: number, message: string, retryAfterSeconds?: number) {
    super(message)
    this.status = status
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** GET requests whose answers are read as they come, over connections that are kept; every status but 200 is thrown. */
export function streamFrom(config: KubeConfig): OpenStream {
  const cluster = config.getCurrentCluster()
  if (!cluster) throw new Error('The kubeconfig has no current cluster: set its current-context.')
  const base = cluster.server.replace(/\/$/, '')
  const send = connectTo(config)

  return async (path, signal) => {
    const answer = await send({ method: 'GET', url: `${base}${path}`, signal })
    if (answer.statusCode === 200) return answer
    throw await failureOf(answer, path)
  }
}

/** Kept of an error's text. */
const wordsMax = 1000

async function failureOf(answer: IncomingMessage, path: string): Promise<ApiFailure> {
  let words = ''
  for await (const chunk of answer) {
    words += String(chunk)
    if (words.length >= wordsMax) break
  }
  const status = answer.statusCode ?? 0
  const retryAfterSeconds = Number(answer.headers['retry-after'])
  const message = `GET ${path.replace(/\?.*/, '')} was answered ${status}: ${words.slice(0, wordsMax).trim()}`
  return new ApiFailure(status, message, retryAfterSeconds > 0 ? retryAfterSeconds : undefined)
}
