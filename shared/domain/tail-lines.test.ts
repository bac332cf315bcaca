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
