import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { float32, Tag } from './fields.ts'

describe('float32', () => {
  test.each([
    [0.85, 0.85],
    [0.1 + 0.2, 0.3],
    [1 / 3, 0.33333334],
    [16777217, 16777216],
    [0, 0],
    [-2.5, -2.5],
    [1e39, 3.4028235e38],
    [-1e300, -3.4028235e38],
    [1e-50, 0],
  ])('%d is %d', (value, short) => {
    expect(float32(value)).toBe(short)
  })

  test('names the same 32-bit number', () => {
    fc.assert(
      fc.property(
        fc.float({ noNaN: true, noDefaultInfinity: true }),
        (value) => void expect(Math.fround(float32(value)) === Math.fround(value)).toBe(true),
      ),
    )
  })
})

test.each([
  ['a', true],
  ['', false],
  ['a,b', false],
  ['a|b', false],
  ['x'.repeat(128), true],
  ['x'.repeat(129), false],
  ['🙂'.repeat(128), true],
])('the tag %s is taken: %s', (tag, isTaken) => {
  expect(Tag.safeParse(tag).success).toBe(isTaken)
})
