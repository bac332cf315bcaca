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
  let endsWithCr = false
  let data: string[] = []
  let size = 0
  for await (const chunk of chunks) {
    const text = decoder.decode(chunk, { stream: true })
    const all = rest + text
    // What has no line end yet is not looked at again with each chunk, of which there may be one a byte.
    const hasLine = endsWithCr || /[\r\n]/.test(text)
    // A CR at the very end may be half of a CRLF: it waits for the next chunk.
    endsWithCr = text === '' ? endsWithCr : text.endsWith('\r')
    const usable = hasLine ? all.slice(0, all.length - Number(endsWithCr)) : ''
    const lines = usable.split(/\r\n|\n|\r/)
    rest = all.slice(usable.length - (lines.pop() ?? '').length)
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield data.join('\n')
        data = []
        size = 0
      } else if (line === 'data' || line.startsWith('data:')) {
        data.push(line.slice(5).replace(/^ /, ''))
        size += line.length
      }
    }
    if (rest.length + size > EVENT_MAX_CHARS)
      throw new RequestError('malformed', `sent one event of more than ${EVENT_MAX_CHARS} characters`)
  }
  if (rest === '\r' && data.length > 0) yield data.join('\n')
}
