import type { IncomingMessage } from 'node:http'
import { gatherBytes } from '#shared/gather-bytes.ts'

/** The body of an answer, as much of it as can be an answer of a service to a machine; the rest is read and dropped. */
export async function readText(answer: IncomingMessage, maxBytes = 64 * 1024): Promise<string> {
  const gathered = gatherBytes()
  let bytes = 0
  for await (const chunk of answer) {
    const buffer = chunk as Buffer // no encoding is set
    if (bytes < maxBytes) gathered.add(buffer.subarray(0, maxBytes - bytes))
    bytes += buffer.length
  }
  return Buffer.from(gathered.take().buffer).toString()
}
