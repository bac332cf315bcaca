import { expect, test } from 'vitest'
import { AdapterFailure } from '#sdk/adapter.ts'
import { checkPattern, goldPatternMatch, patternMatch, SlowPattern } from './regex-scorer.ts'

test.each([
  ['answer: (\\d+)', 'answer: 3\nanswer: 42', ['42'], 1],
  ['answer: (\\d+)', 'answer: 42\nanswer: 3', ['42'], 0],
  ['[A-Z]{3}', 'code ABC', ['abc'], 1],
  ['x(y)?', 'x', ['x'], 1],
  ['nothing', 'something else', ['x'], 0],
])('the last match of /%s/ in %j, compared with %j, scores %i', (pattern, output, gold, score) => {
  expect(patternMatch(pattern)(output, gold).score).toBe(score)
})

test('without a pattern the accepted answers are patterns', () => {
  expect(goldPatternMatch('Kyjiw', ['K[iy]e?v', 'Kyj?i[vw]'])).toEqual({ score: 1, extracted: 'Kyjiw' })
  expect(goldPatternMatch('Minsk', ['K[iy]e?v'])).toEqual({ score: 0 })
})

test('a pattern that would run for ever is given up, and the process goes on', () => {
  const started = performance.now()
  expect(() => patternMatch('(a+)+b')('a'.repeat(80), ['x'])).toThrow(SlowPattern)
  expect(performance.now() - started).toBeLessThan(5000)
})

test('a pattern that is none is refused with its place', () => {
  expect(() => checkPattern('(', 'Parameter pattern')).toThrow(AdapterFailure)
  expect(() => checkPattern('(', 'Parameter pattern')).toThrow('Parameter pattern: /(/ is not a regular expression.')
})
