import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'

/** A body: text, or a file that is read as it is sent. */
export type Content = { text: string } | { path: string }

export type Answer = { status: number; headers: IncomingHttpHeaders; text: string }

type Sent = {
  method: string
  headers?: Record<string, string>
  content?: Content
  /** For the whole answer, counted from the last piece of a file that was taken. */
  patienceMs: number
  signal: AbortSignal
}

/** There was no whole answer in time. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered'
}

/** What a registry has to say is far shorter. */
const MAX_ANSWER_BYTES = 65_536

/**
 * One request, without redirects; rejects if there is no whole answer. Of a file only what is on its way is in memory, which `fetch` does not
 * see to; an answer that comes before the file is sent ends the sending. What is longer than 64 KiB is cut off there, with the connection.
 */
export async function exchange(url: URL, { method, headers, content = { text: '' }, patienceMs, signal }: Sent): Promise<Answer> {
  const length = 'path' in content ? (await stat(content.path)).size : Buffer.byteLength(content.text)
  const start = url.protocol === 'https:' ? httpsRequest : httpRequest
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const request = start(url, { method, headers: { ...headers, 'content-length': length }, signal, agent: false }, (response) => {
    const answer = (text: string) => resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
    beginningOf(response).then(answer, reject)
  })
  const timer = setTimeout(() => reject(new Unanswered(`there was no whole answer in ${Math.ceil(patienceMs / 100) / 10} s`)), patienceMs)
  request.on('error', reject)
  if ('text' in content) request.end(content.text)
  else {
    const file = createReadStream(content.path)
    file.once('error', (error) => request.destroy(error))
    file.on('data', () => timer.refresh())
    request.once('close', () => file.destroy())
    file.pipe(request)
  }
  return promise.finally(() => {
    clearTimeout(timer)
    request.destroy()
  })
}

async function beginningOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes >= MAX_ANSWER_BYTES) break
  }
  return Buffer.concat(chunks).toString('utf8', 0, MAX_ANSWER_BYTES)
}
