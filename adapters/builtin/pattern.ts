import { RE2JS, RE2JSException } from 're2js'
import { AdapterFailure } from '#sdk/adapter.ts'

/**
 * Patterns that come from a job or a data set. RE2's engine runs them: its time grows with pattern times text and never doubles with a
 * letter more, which no time-out could stop, since the engine of JavaScript looks at none.
 */

/** Characters of a pattern. */
const SOURCE_MAX_CHARS = 2000
/** Steps that a pattern is made of once its repetitions are written out. */
const SIZE_MAX = 10_000
/** Steps times characters of one search, which takes about 100 ns each at worst. */
const WORK_MAX = 20_000_000
/** For all matches of one pattern in one text, in milliseconds; each of them may look at the whole rest. */
const LIMIT_MS = 2000

/** Thrown for one item; the pattern may be fine on the others. */
export class SlowPattern extends Error {
  override readonly name = 'SlowPattern'
}

export type Pattern = {
  /** The last match in a text: its first group where that took part, else all of it. Throws `SlowPattern`. */
  lastMatch: (text: string) => string | undefined
}

/** What JavaScript and Python count as white space; RE2 has ASCII only. Inside of brackets, and with a range at the end, after which a hyphen is one. */
const SPACE = String.raw` \x{a0}\x{1680}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}\x{2000}-\x{200a}\t-\r`
const NO_SPACE = String.raw`\x{0}-\x{8}\x{e}-\x{1f}!-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}`

/** What no engine of linear time has, by how it begins, and what to write instead. */
const REFUSED = [
  {
    begins: /\(\?[=!]/y,
    what: 'a lookahead',
    instead: 'match what follows too, and put what is wanted into the first group: "is (.*)\\." instead of "is (.*)(?=\\.)"',
  },
  { begins: /\\[1-9]|\\k<|\(\?P=/y, what: 'a back reference', instead: 'write out what may be repeated' },
  { begins: /\(\?>|\(\?\(/y, what: 'an atomic or conditional group', instead: 'use a group that captures nothing, (?:…)' },
] as const

type Refusal = { at: number; what: string; instead: string }

function refusalAt(source: string, at: number): Refusal | undefined {
  for (const { begins, what, instead } of REFUSED) {
    begins.lastIndex = at
    if (begins.test(source)) return { at, what, instead }
  }
  return undefined
}

/** The pattern as RE2 reads it, or the first thing in it that RE2 cannot do. */
function translated(source: string): string | Refusal {
  let result = ''
  let inBrackets = false
  for (let at = 0; at < source.length; at++) {
    const refusal = inBrackets ? undefined : refusalAt(source, at)
    if (refusal) return refusal
    const char = source.charAt(at)
    const two = source.slice(at, at + 2)
    if (char === '[') inBrackets = true
    else if (char === ']') inBrackets = false
    if (two === '\\s' || two === '\\S') {
      const ranges = two === '\\s' ? SPACE : NO_SPACE
      result += inBrackets ? ranges : `[${ranges}]`
    } else result += char === '\\' ? two : char
    if (char === '\\') at++
  }
  return RE2JS.translateRegExp(result)
}

function compiled(source: string, refuse: (why: string) => AdapterFailure): RE2JS {
  if (source.length > SOURCE_MAX_CHARS) throw refuse(`has ${source.length} characters; at most ${SOURCE_MAX_CHARS} are allowed.`)
  const pattern = translated(source)
  if (typeof pattern !== 'string') {
    const { at, what, instead } = pattern
    throw refuse(`has ${what} at position ${at}, which cannot be searched for in bounded time: ${instead}.`)
  }
  try {
    return RE2JS.compile(pattern, RE2JS.MULTILINE | RE2JS.LOOKBEHINDS)
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    throw refuse(`is not a regular expression: ${error.message.replace('error parsing regexp: ', '')}.`)
  }
}

/**
 * A pattern in RE2's syntax, which is JavaScript's and Python's but for lookaheads and back references, with `^` and `$` at each line.
 *
 * Throws `AdapterFailure` that says where the pattern is from (`where`), what in it is refused, at which position from 0, and what to
 * write instead.
 */
export function compilePattern(source: string, where: string): Pattern {
  const shown = `${where}: /${source.slice(0, 200)}${source.length > 200 ? '…' : ''}/`
  const refuse = (why: string) => new AdapterFailure('pattern_invalid', `${shown} ${why}`)
  const pattern = compiled(source, refuse)
  const size = pattern.programSize()
  if (size > SIZE_MAX) throw refuse(`makes ${size} steps once its repetitions are written out; at most ${SIZE_MAX} are allowed.`)
  return { lastMatch: (text) => lastMatch(pattern, size, text) }
}

function lastMatch(pattern: RE2JS, size: number, text: string): string | undefined {
  if (size * text.length > WORK_MAX)
    throw new SlowPattern(`the pattern (${size} steps) is not searched for in an output of ${text.length} characters`)
  // To RE2, as to Python, only a line feed ends a line.
  const lines = text.replaceAll(/\r\n?|[\u2028\u2029]/g, '\n')
  const until = performance.now() + LIMIT_MS
  let last: string | undefined
  for (const match of pattern.matchAll(lines)) {
    last = match[1] ?? match[0]
    if (performance.now() > until) throw new SlowPattern(`the pattern took longer than ${LIMIT_MS} ms on this output`)
  }
  return last
}
