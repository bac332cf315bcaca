import { describe, expect, test } from 'vitest'
import { inShownDigits } from './shown-digits.ts'
import { standardError } from './statistics.ts'

describe('inShownDigits', () => {
  test.each([
    [0.1 + 0.2, 0.3],
    [standardError([1, 0, 1, 1, 1]), 0.2],
    [2 / 3, 0.666666666666667],
    [123456.78901234567, 123456.789012346],
    [1e-20, 1e-20],
    [3, 3],
    [-0.1 - 0.2, -0.3],
  ])('%d is shown as %d', (value, shown) => {
    expect(inShownDigits(value)).toBe(shown)
    expect(Math.abs(shown - value!)).toBeLessThanOrEqual(1e-12 * Math.abs(value!))
  })

  test('changes numbers wherever they are, and nothing else', () => {
    expect(inShownDigits({ a: [0.1 + 0.2, 'x', null, true], b: { c: 0.7 + 0.1 }, d: undefined, e: Number.NaN })).toEqual({
      a: [0.3, 'x', null, true],
      b: { c: 0.8 },
      d: undefined,
      e: Number.NaN,
    })
  })
})
