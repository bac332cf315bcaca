import { createContext, Script } from 'node:vm'
import { AdapterFailure } from '#sdk/adapter.ts'
import { exactMatch, type Scorer } from './scorers.ts'

/** Longest time that one pattern may take on one output, in milliseconds. */
const LIMIT_MS = 250

const OUTPUT_MAX_CHARS = 100_000

/** Thrown for one item; the pattern may be fine on the others. */
export class SlowPattern extends Error {
  override readonly name = 'SlowPattern'
}

const FIND = new Script(
  '{ let last = null; for (const match of text.matchAll(new RegExp(pattern, "gm"))) last = match[1] ?? match[0]; last }',
)

/** The last match: its first group where it has one. A pattern from outside can take for ever, so V8 interrupts it. */
function lastMatch(pattern: string, text: string): string | undefined {
  try {
    // The context holds two strings and no function of ours, so nothing in it leads back here.
    const context = createContext(Object.assign(Object.create(null), { pattern, text: text.slice(0, OUTPUT_MAX_CHARS) }))
    const found: unknown = FIND.runInContext(context, { timeout: LIMIT_MS })
    return typeof found === 'string' ? found : undefined
  } catch (error) {
    // The error may be of the context's own realm, which no `instanceof` here recognises.
    const timedOut = typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
    if (timedOut) throw new SlowPattern(`the pattern took longer than ${LIMIT_MS} ms on this output`)
    throw error
  }
}

/** Refuses a pattern that is none, naming it. */
export function checkPattern(pattern: string, where: string): void {
  try {
    RegExp(pattern, 'gm')
  } catch (error) {
    throw new AdapterFailure('pattern_invalid', `${where}: /${pattern.slice(0, 200)}/ is not a regular expression.`, { cause: error })
  }
}

/** With `pattern`: its last match equals an accepted answer, both normalised. Throws `SlowPattern`. */
export const patternMatch =
  (pattern: string): Scorer =>
  (output, gold) => {
    const found = lastMatch(pattern, output)
    return found === undefined ? { score: 0 } : exactMatch(found, gold)
  }

/** Without: each accepted answer is itself a pattern, and one of them matches. Throws `SlowPattern`. */
export const goldPatternMatch: Scorer = (output, gold) => {
  for (const pattern of gold) {
    const found = lastMatch(pattern, output)
    if (found !== undefined) return { score: 1, extracted: found }
  }
  return { score: 0 }
}
