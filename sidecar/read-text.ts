import type { IncomingMessage } from 'node:http'

/** The body of an answer, as much of it as can be an answer of a service to a machine; the rest is read and dropped. */
export async function readText(answer: IncomingMessage, maxBytes = 64 * 1024): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of answer) {
    const buffer = chunk as Buffer // no encoding is set
    if (bytes < maxBytes) chunks.push(buffer.subarray(0, maxBytes - bytes))
    bytes += buffer.length
  }
  return Buffer.concat(chunks).toString()
}
