import { RequestError } from './request-error.ts'

/** Longest unfinished event that is kept. */
const EVENT_MAX_CHARS = 1024 * 1024

/**
 * The data of each server-sent event of a stream (WHATWG: lines end with LF, CRLF or CR; comments
 * and other fields are skipped). Events and characters may be split anywhere between chunks.
 * An event without the empty line at its end is incomplete and dropped.
 */
export async function* serverSentEvents(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  let data: string[] = []
  for await (const chunk of chunks) {
    // A CR at the very end may be half of a CRLF: it waits for the next chunk.
    const text = rest + decoder.decode(chunk, { stream: true })
    const usable = text.endsWith('\r') ? text.length - 1 : text.length
    const lines = text.slice(0, usable).split(/\r\n|\n|\r/)
    rest = (lines.pop() ?? '') + text.slice(usable)
    if (rest.length + data.reduce((sum, line) => sum + line.length, 0) > EVENT_MAX_CHARS)
      throw new RequestError('malformed', `sent one event of more than ${EVENT_MAX_CHARS} characters`)
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield data.join('\n')
        data = []
      } else if (line === 'data' || line.startsWith('data:')) {
        data.push(line.slice(5).replace(/^ /, ''))
      }
    }
  }
  if (rest === '\r' && data.length > 0) yield data.join('\n')
}
