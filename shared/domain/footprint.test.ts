import fc from 'fast-check'
import { expect, test } from 'vitest'
import { footprintOf, footprintOfText } from './footprint.ts'

const textFootprint = (text: string) => footprintOfText(new TextEncoder().encode(text))

test.each([
  ['[]', 64],
  ['{"a":1}', 64 + 64],
  ['[1,2]', 64 + 16],
  ['{"a":{"b":[]}}', 5 * 64],
  ['"{[,:\\"{"', 0],
  ['"\\\\",[', 64 + 16],
  ['[1e300]', 64 + 330],
  ['[true,"1e5"]', 64 + 16],
  ['"never ends {', 0],
])('%s counts its bytes, 16, and %i', (text, values) => {
  expect(textFootprint(text)).toBe(text.length + 16 + values)
})

// Guarantee: who is let in by the footprint of a text is not let in with more than that.
test('the footprint of a value is at least its length as text, and that of its text about the same', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const value: unknown = JSON.parse(text)
      expect(footprintOf(value)).toBeGreaterThanOrEqual(JSON.stringify(value).length)
      expect(textFootprint(text)).toBeGreaterThanOrEqual(footprintOf(value) / 3)
    }),
  )
})
