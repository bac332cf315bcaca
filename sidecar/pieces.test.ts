import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { bodyOf } from './forward.ts'
import { readText } from './read-text.ts'

const TEXT = 'one byte at a time'

/** A message whose pieces are one and the same, so that one that is kept is seen to change. */
function inPieces(headers: Record<string, string>): IncomingMessage {
  async function* pieces() {
    const piece = Buffer.alloc(1)
    for (const byte of Buffer.from(TEXT)) {
      piece[0] = byte
      yield piece
    }
  }
  return Object.assign(pieces(), { headers }) as unknown as IncomingMessage // what is read of it
}

test('no piece of what is held whole is kept, of a request or of an answer', async () => {
  expect(String(await bodyOf(inPieces({ 'content-length': String(TEXT.length) })))).toBe(TEXT)
  expect(await readText(inPieces({}))).toBe(TEXT)
})
