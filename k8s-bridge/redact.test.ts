import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createFinder } from './find-values.ts'
import { contextBytes, redact, secretsToHide, type Hidden } from './redact.ts'

const buffers = (...texts: string[]) => texts.map((text) => Buffer.from(text))
const secrets = buffers('sk-12345678', 'hf-abcdefgh')

describe('redact', () => {
  test.each([
    ['nothing here', 'nothing here'],
    ['key=sk-12345678!', 'key=***********!'],
    ['sk-12345678sk-12345678hf-abcdefgh', '*'.repeat(33)],
    ['sk-1234567', 'sk-1234567'],
  ])('%j becomes %j', (text, redacted) => {
    expect(redact(Buffer.from(text), secrets).toString()).toBe(redacted)
  })

  test.each([
    ['', 0],
    ['all is said', 0],
    ['key=s', 1],
    ['key=sk-1234567', 10],
    ['key=sk-12345678', 0],
    ['hf-abc', 6],
  ])('leaves out the end of %j with which a secret may begin: %i bytes', (text, length) => {
    expect(redact(Buffer.from(text), secrets, { isEnd: false }).length).toBe(text.length - length)
  })

  test('leaves the original alone', () => {
    const text = Buffer.from('sk-12345678')
    redact(text, secrets)

    expect(text.toString()).toBe('sk-12345678')
  })

  // Guarantee: of a key of any length that is written in part, fewer bytes than two pieces are shown.
  test('hides parts of a long value', () => {
    const value = Buffer.from(Array.from({ length: 500 }, (_, index) => String.fromCharCode(33 + ((index * index * 7) % 90))).join(''))
    for (let start = 0; start < 400; start += 13) {
      const shown = redact(value.subarray(start, start + 100), [value]).toString()
      expect(Math.max(...shown.split('*').map(({ length }) => length))).toBeLessThan(32)
    }
    expect(redact(value, [value]).toString()).toBe('*'.repeat(500))
  })

  /** What a value that an adapter repeats took: as many steps as both have bytes, in one turn of a bridge that all share. */
  const values: [string, Buffer][] = [
    ['a…', Buffer.alloc(65_536, 'a')],
    ['a…b…a', Buffer.from(`${'a'.repeat(32_768)}b${'a'.repeat(32_768)}`)],
    ['b…a', Buffer.from(`b${'a'.repeat(65_535)}`)],
    ['a…b', Buffer.from(`${'a'.repeat(65_535)}b`)],
  ]
  test.each(values)('takes no time by the length of a value: %s of 64 KiB, in 4 MiB', { timeout: 20_000 }, (_, value) => {
    const text = Buffer.alloc(4 * 1024 * 1024, 'a')
    const redacted = redact(text, [value])
    expect([redacted.length, redacted.includes(value)]).toEqual([text.length, false])
  })

  test('hides all but line ends where it is told to', () => {
    expect(redact(Buffer.from('one\ntwo'), 'everything').toString()).toBe('***\n***')
    expect(redact(Buffer.from('one\ntwo'), 'everything', { from: 2, isEnd: false }).toString()).toBe('*\n***')
  })
})

/** As those who follow a log do it: what was left out comes again, after `contextBytes` of what was before it. */
function redactParts(text: Buffer, cuts: readonly number[], hidden: Hidden): Buffer {
  const done: Buffer[] = []
  let offset = 0
  for (const end of [...cuts.toSorted((one, other) => one - other), text.length]) {
    const from = Math.min(offset, contextBytes)
    done.push(redact(text.subarray(offset - from, Math.max(end, offset)), hidden, { from, isEnd: end === text.length }))
    offset += done.at(-1)?.length ?? 0
  }
  return Buffer.concat(done)
}

describe('a text in parts', () => {
  const letters = (minLength: number, maxLength: number) => fc.string({ unit: fc.constantFrom('a', 'b'), minLength, maxLength })
  const value = fc.oneof(
    letters(1, 6),
    letters(60, 70),
    letters(1, 3).map((text) => text.repeat(40)),
  )
  const piece = fc.oneof(letters(0, 10), fc.constantFrom('\n', 'c'))

  // Guarantee: wherever a log is cut, what is kept is what would be kept of the whole, and no value is in it.
  test('is redacted as the whole is, whatever repeats itself in its values', () => {
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 4 }),
        fc.array(fc.oneof(piece, fc.nat(3)), { maxLength: 30 }),
        fc.array(fc.nat(400), { maxLength: 10 }),
        (values, parts, cuts) => {
          const text = Buffer.from(parts.map((part) => (typeof part === 'number' ? (values[part] ?? '') : part)).join(''))
          const hidden = values.map((one) => Buffer.from(one))
          const whole = redact(text, hidden)
          const inside = cuts.filter((cut) => cut < text.length)
          expect(redactParts(text, inside, hidden).toString()).toBe(whole.toString())
          expect(hidden.filter((one) => whole.includes(one))).toEqual([])
          for (const one of hidden) {
            for (let at = text.indexOf(one); at >= 0; at = text.indexOf(one, at + 1)) {
              expect(whole.subarray(at, at + one.length).toString()).toBe('*'.repeat(one.length))
            }
          }
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('waits for less than a context', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 4 }), letters(0, 300), (values, text) => {
        const known = redact(Buffer.from(text), buffers(...values), { isEnd: false })
        expect(text.length - known.length).toBeLessThan(contextBytes)
      }),
    )
  })
})

describe('secretsToHide', () => {
  test('are the lines of values, each once, but for short ones', () => {
    expect(secretsToHide(['one-line-of-two\r\n  two-line-of-two ', 'short', 'one-line-of-two'])).toEqual(
      buffers('one-line-of-two', 'two-line-of-two'),
    )
  })

  test('are everything if they have more than 256 KiB together', () => {
    const lines = (count: number) => Array.from({ length: count }, (_, index) => String(10_000_000 + index)).join('\n')
    expect(secretsToHide([lines(32 * 1024)])).toHaveLength(32 * 1024)
    expect(secretsToHide([lines(32 * 1024), 'one-more'])).toBe('everything')
    expect(secretsToHide(['x'.repeat(256 * 1024 + 1)])).toBe('everything')
  })

  test('are found, however many', () => {
    const values = Array.from({ length: 32 * 1024 }, (_, index) => String(10_000_000 + index))
    const hidden = secretsToHide(values)
    expect(redact(Buffer.from('x 10000000 10032767 10032768'), hidden).toString()).toBe('x ******** ******** 10032768')
  })
})

test('a finder knows the longest value that ends, and what may go on', () => {
  const finder = createFinder(buffers('he', 'she', 'hers'))
  const after = (text: string) => [...Buffer.from(text)].reduce((state, byte) => finder.next(state, byte), 0)
  expect(['h', 'he', 'ushe', 'hers', 'x'].map((text) => [finder.found(after(text)), finder.begun(after(text))])).toEqual([
    [0, 1],
    [2, 2],
    [3, 2],
    [4, 1],
    [0, 0],
  ])
})
