import { expect, test } from 'vitest'
import { gatherBytes } from './gather-bytes.ts'

test('a million pieces of a byte take little more than a million bytes, and are kept in their order', () => {
  const gathered = gatherBytes()
  const piece = new Uint8Array(1)
  let allocated = 0
  for (let at = 0; at < 1_000_000; at++) {
    piece[0] = at % 251
    allocated += gathered.add(piece)
  }
  expect(allocated).toBeLessThan(1_000_000 + 64 * 1024)
  const whole = gathered.take()
  expect(whole.length).toBe(1_000_000)
  expect(whole.every((byte, at) => byte === at % 251)).toBe(true)
})

test.each([0, 1, 1023, 1024, 1025, 65_536, 200_000])('pieces of %i bytes come back as they were', (size) => {
  const gathered = gatherBytes()
  const piece = Uint8Array.from({ length: size }, (_, at) => at % 251)
  for (let count = 0; count < 5; count++) gathered.add(piece)
  expect(Buffer.concat([piece, piece, piece, piece, piece]).equals(gathered.take())).toBe(true)
  expect(gathered.take()).toEqual(new Uint8Array(0))
})
