import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { text } from 'node:stream/consumers'

/** A body: text, or a file that is read as it is sent. */
export type Content = { text: string } | { path: string }

export type Answer = { status: number; headers: IncomingHttpHeaders; text: string }

type Sent = { method: string; headers?: Record<string, string>; content?: Content; signal: AbortSignal }

/** A registry looks at all of a large file before it answers. */
const SILENCE_MS = 600_000

/**
 * One request, without redirects; rejects if there is no whole answer. Of a file only what is on its way is in memory, which `fetch` does not
 * see to; an answer that comes before the file is sent ends the sending.
 */
export async function exchange(url: URL, { method, headers, content = { text: '' }, signal }: Sent): Promise<Answer> {
  const length = 'path' in content ? (await stat(content.path)).size : Buffer.byteLength(content.text)
  const start = url.protocol === 'https:' ? httpsRequest : httpRequest
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const options = { method, headers: { ...headers, 'content-length': length }, signal, agent: false, timeout: SILENCE_MS }
  const request = start(url, options, (response) => {
    const answer = (body: string) => resolve({ status: response.statusCode ?? 0, headers: response.headers, text: body })
    text(response).then(answer, reject)
  })
  request.once('timeout', () => request.destroy(new Error(`silent for ${SILENCE_MS / 1000} s`)))
  request.on('error', reject)
  if ('text' in content) request.end(content.text)
  else {
    const file = createReadStream(content.path)
    file.once('error', (error) => request.destroy(error))
    request.once('close', () => file.destroy())
    file.pipe(request)
  }
  return promise.finally(() => request.destroy())
}
