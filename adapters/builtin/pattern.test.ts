import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { compilePattern, SlowPattern } from './pattern.ts'

const lastMatch = (pattern: string, text: string) => compilePattern(pattern, 'Parameter pattern').lastMatch(text)

/** What JavaScript finds; for patterns that its engine can be trusted with. */
function inJavaScript(pattern: string, text: string): string | undefined {
  const last = [...text.matchAll(new RegExp(pattern, 'gm'))].at(-1)
  return last && (last[1] ?? last[0])
}

/** Of lm-evaluation-harness' tasks, and of the like. */
const PUBLISHED = [
  String.raw`(-?[$0-9.,]{2,})|(-?[0-9]+)`,
  String.raw`#### (\-?[0-9\.\,]+)`,
  String.raw`The answer is (\-?[0-9\.\,]*[0-9]+)`,
  String.raw`The answer is (\-?[0-9\.\,]+).`,
  String.raw`The final answer is ((-?[$0-9.,]{2,})|(-?[0-9]+))`,
  String.raw`(-?[0-9]+([ .,][0-9.,]+)?)`,
  String.raw`(\([A-Z]\))`,
  String.raw`([A-E]).*`,
  String.raw`\b(Yes|No|yes|no)\b`,
  String.raw`answer is \(?([ABCDEFGHIJ])\)?`,
  String.raw`답은 \(?([ABCDEFGHIJ])\)?입니다`,
  String.raw`উত্তর হল \(?([ABCDEFGHIJ])\)?`,
  String.raw`(?<= )([" \[\(<{}>\)\]]+)|([" \[\(<{}>\)\]]+)`,
  String.raw`[Tt]he (?:[Bb]est [Aa]nswer|[Ff]inal [Aa]nswer|[Aa]nswer)[^A-D]*([A-D])|[Aa]nswer\s*:[^A-D]*([A-D])|\\boxed\{([A-D])\}`,
  String.raw`^\s*([A-D])\s*$`,
  String.raw`[\s\S]*?(\d+)$`,
  String.raw`(?<word>\w+) is`,
  String.raw`[^]*\/(.)`,
]

const ANSWERS = [
  'Natalia sold 48/2 = 24 clips.\nAltogether 48 + 24 = 72 clips.\n#### 72',
  'So 1,234.50 + 3 = $1,237.50. The answer is 1,237.50.',
  'The answer is -5.\nThe answer is 17',
  'Let me think. The best answer is (C), not (A).\r\nanswer is (B)\r\n',
  'The final answer is 42',
  'Answer: B\n\n\\boxed{D}',
  '답은 (C)입니다. উত্তর হল (D)',
  'Yes, no; perhaps.\nNo',
  '( ) [ ] { } < > ) ] " (',
  'A\u00a0\n B \u2028C\u3000\r\nD\t',
  'a/b, and path/x\ntwo',
  '',
  'no number, no letter 😀 at all',
]

describe('a pattern of a published benchmark', () => {
  test.each(PUBLISHED)('/%s/ finds what it finds in JavaScript', (pattern) => {
    for (const text of ANSWERS) {
      const found = inJavaScript(pattern, text)?.replaceAll(/\r\n?|\u2028/g, '\n')
      expect([text, lastMatch(pattern, text)]).toEqual([text, found])
    }
  })
})

test.each([
  ['(?i)ANSWER: (\\d)', 'answer: 3', '3'],
  ['(?P<n>\\d+)', 'x 12', '12'],
  ['[\\s-]b', 'a-b', '-b'],
  ['[\\S]+$', 'a \u00a0xyz', 'xyz'],
  ['x(y)?', 'x', 'x'],
  ['x*', 'x', ''],
])('/%s/ in %j finds %j, as in JavaScript or in Python', (pattern, text, found) => {
  expect(lastMatch(pattern, text)).toBe(found)
})

/** Of which JavaScript's engine doubles its time with each letter, or squares it, and hears of no time-out. */
const HOSTILE = [
  ['a?'.repeat(100) + 'a'.repeat(100), 'a'.repeat(100)],
  ['a?'.repeat(100) + 'a'.repeat(100), 'a'.repeat(20_000)],
  ['(a+)+b', 'a'.repeat(100_000)],
  ['(.*)*x', 'a'.repeat(100_000)],
  ['(?<=(?:a*)*b)c', 'a'.repeat(100_000)],
  ['^(\\s|\\S)*;$', 'a'.repeat(100_000)],
  ['(?:(?:a?){30}){30}b', 'a'.repeat(10_000)],
  // Each match looks at the whole rest.
  ['a.*b|a', 'a'.repeat(200_000)],
  // Large rather than deep.
  ['(?:.?){990}c|(a|b)', 'ab'.repeat(100_000)],
  ['\\p{L}{1000}'.repeat(9), 'a'.repeat(100_000)],
] as const

// In a process of its own, since an engine that is caught can be ended in no other way.
test.each(HOSTILE.map(([pattern, text]) => [pattern.slice(0, 40), text.length, pattern, text] as const))(
  '/%s…/ on %i characters comes to an end',
  { timeout: 60_000 },
  (_, __, pattern, text) => {
    const module = new URL('pattern.ts', import.meta.url).href
    const program = `import { compilePattern, SlowPattern } from ${JSON.stringify(module)}
      const [pattern, text] = ${JSON.stringify([pattern, text])}
      try { compilePattern(pattern, 'pattern').lastMatch(text); console.log('ended') }
      catch (error) { if (!(error instanceof SlowPattern)) throw error; console.log('given up') }`
    const ended = spawnSync(process.execPath, ['--input-type=module'], { input: program, encoding: 'utf8', timeout: 50_000 })
    expect(ended).toMatchObject({ status: 0, stdout: expect.stringMatching(/^(ended|given up)\n$/) })
  },
)

test('what is too much work for one search is not begun', () => {
  expect(() => lastMatch('(?:[ab]?){900}c', 'ab'.repeat(50_000))).toThrow(SlowPattern)
  expect(lastMatch('#### (\\d+)', `${'x '.repeat(200_000)}#### 7`)).toBe('7')
})

describe('what cannot be searched for in bounded time is refused, with its place and what to write instead', () => {
  test.each([
    ['(?<=is )(.*)(?=.)', /^Parameter pattern: .* has a lookahead at position 12, .*: match what follows too, and put what is wanted into/],
    ['x(?!y)', /a lookahead at position 1/],
    ['(a)\\1', /a back reference at position 3/],
    ['(?<n>a)\\k<n>', /a back reference at position 7/],
    ['(?P<n>a)(?P=n)', /a back reference at position 8/],
    ['(?>a)', /an atomic or conditional group at position 0/],
    ['a++', /is not a regular expression: .*`\+\+`/],
    ['(', /^Parameter pattern: \/\(\/ is not a regular expression: missing closing \)/],
    ['[b-a]', /is not a regular expression: .*b-a/],
    ['(?<=(a))b', /is not a regular expression: /],
  ])('%s', (pattern, message) => {
    expect(() => compilePattern(pattern, 'Parameter pattern')).toThrow(message)
    expect(() => compilePattern(pattern, 'Parameter pattern')).toThrow(expect.objectContaining({ code: 'pattern_invalid' }))
  })

  test.each([
    ['of many repetitions', 'a{1000}'.repeat(20), /makes \d+ steps once its repetitions are written out; at most 10000/],
    ['that is long', 'x'.repeat(2001), /has 2001 characters; at most 2000/],
    ['that is nested deeply', '('.repeat(1500), /is not a regular expression: /],
  ])('one %s', (_, pattern, message) => {
    expect(() => compilePattern(pattern, 'Parameter pattern')).toThrow(message)
  })

  test('but not within brackets, or behind a backslash', () => {
    expect(lastMatch('[(?=]+', 'a(?=b')).toBe('(?=')
    expect(lastMatch('\\(?=', '(=')).toBe('(=')
    expect(lastMatch('\\\\1', '\\1')).toBe('\\1')
  })
})
