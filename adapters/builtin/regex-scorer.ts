import { compilePattern, type Pattern } from './pattern.ts'
import { exactMatch, type Scorer } from './scorers.ts'

/** With `pattern`: its last match equals an accepted answer, both normalised. Throws `SlowPattern`. */
export const patternMatch =
  (pattern: Pattern): Scorer =>
  (output, gold) => {
    const found = pattern.lastMatch(output)
    return found === undefined ? { score: 0 } : exactMatch(found, gold)
  }

/** Without: each accepted answer is itself a pattern, and one of them matches. Throws `SlowPattern`. */
export const goldPatternMatch: Scorer = (output, gold) => {
  for (const answer of gold) {
    const found = compilePattern(answer, 'The accepted answer').lastMatch(output)
    if (found !== undefined) return { score: 1, extracted: found }
  }
  return { score: 0 }
}
