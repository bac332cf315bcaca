import { InitError } from '../init/init-error.ts'

/** A line of git's protocol: four hexadecimal digits say how long it is, these included. ASCII only. Source: gitprotocol-common(5). */
export const packetOf = (text: string): string => `${(text.length + 4).toString(16).padStart(4, '0')}${text}`

/** Ends a list of packets. */
export const FLUSH = '0000'

/** What lies in the packets of an answer; undefined for a flush. Holds one packet, 64 KiB, at a time. */
export async function* packetsIn(body: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer | undefined> {
  let held: Buffer = Buffer.alloc(0)
  for await (const chunk of body) {
    held = Buffer.concat([held, chunk])
    for (;;) {
      const length = lengthAt(held)
      if (length === undefined || held.length < length) break
      yield length === 0 ? undefined : held.subarray(4, length)
      held = held.subarray(length || 4)
    }
  }
  if (held.length > 0) throw new Error('the answer ends in the middle')
}

function lengthAt(held: Buffer): number | undefined {
  if (held.length < 4) return undefined
  const digits = held.toString('latin1', 0, 4)
  const length = /^[0-9a-f]{4}$/i.test(digits) ? Number.parseInt(digits, 16) : NaN
  if (length === 0 || length >= 4) return length
  throw notGit()
}

export const notGit = () => new InitError('the server does not answer as git does; check the url')
