import { expect, test } from 'vitest'
import { compilePattern } from './pattern.ts'
import { goldPatternMatch, patternMatch } from './regex-scorer.ts'

test.each([
  ['answer: (\\d+)', 'answer: 3\nanswer: 42', ['42'], 1],
  ['answer: (\\d+)', 'answer: 42\nanswer: 3', ['42'], 0],
  ['[A-Z]{3}', 'code ABC', ['abc'], 1],
  ['x(y)?', 'x', ['x'], 1],
  ['nothing', 'something else', ['x'], 0],
])('the last match of /%s/ in %j, compared with %j, scores %i', (pattern, output, gold, score) => {
  expect(patternMatch(compilePattern(pattern, 'pattern'))(output, gold).score).toBe(score)
})

test('without a pattern the accepted answers are patterns', () => {
  expect(goldPatternMatch('Kyjiw', ['K[iy]e?v', 'Kyj?i[vw]'])).toEqual({ score: 1, extracted: 'Kyjiw' })
  expect(goldPatternMatch('Minsk', ['K[iy]e?v'])).toEqual({ score: 0 })
})
