import fc from 'fast-check'
import { expect, test } from 'vitest'
import { tailLines } from './tail-lines.ts'

test('is what splitting into lines would give', () => {
  const text = fc.array(fc.constantFrom('a', '\n', 'bc'), { maxLength: 30 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 12 }), (log, count) => {
      const expected = log.replace(/\n$/, '').split('\n').slice(-count).join('\n')
      expect(tailLines(log, count)).toBe(expected)
      expect(tailLines(log, -1)).toBe(log)
    }),
  )
})

test.each([
  ['', 3, ''],
  ['a\nb\n', 0, ''],
  ['a\nb\n', 1, 'b'],
  ['a\nb', 1, 'b'],
  ['a\n\n', 1, ''],
  ['\na\n', 2, '\na'],
  ['a\nb\n', 9, 'a\nb'],
])('of %j the last %i are %j', (text, count, lines) => {
  expect(tailLines(text, count)).toBe(lines)
})
