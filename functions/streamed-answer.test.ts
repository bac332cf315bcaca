import { expect, test } from 'vitest'
import { encoded } from './streamed-answer.ts'

const PIECE = 256 * 1024

test.each([0, 1, 2, 3])('long text is the same in pieces, wherever they cut a character: %i', (shift) => {
  const text = 'x'.repeat(shift) + '\u{1f600}ä'.repeat(PIECE)
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const pieces = [...encoded(text)]
  expect(pieces.length).toBeGreaterThan(2)
  expect(pieces.map((piece) => decoder.decode(piece)).join('') === text).toBe(true)
})
