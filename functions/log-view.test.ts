import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { visible } from '#shared/domain/visible-text.ts'
import { createLogView } from './log-view.ts'

/** Shown whole, or in pieces. */
function shownOf(pieces: readonly Uint8Array[], isOwn = false): string {
  const view = createLogView()
  const parts = pieces.flatMap((piece) => [...view.show(piece, isOwn)])
  return Buffer.concat([...parts, view.end()]).toString()
}
const shown = (text: string | Buffer) => shownOf([Buffer.from(text)])

/** The bytes of which that was shown. */
function bytesOf(text: string): Buffer {
  const parts = text.split(/(⟨[^⟩]*⟩|[\u2400-\u2421])/).map((part, at) => {
    if (at % 2 === 0) return Buffer.from(part)
    const [, byte] = /^⟨0x(..)⟩$/.exec(part) ?? []
    const [, code] = /^⟨U\+(.*)⟩$/.exec(part) ?? []
    if (byte !== undefined) return Buffer.from(byte, 'hex')
    if (code !== undefined) return Buffer.from(String.fromCodePoint(Number.parseInt(code, 16)))
    return Buffer.from([part === '␡' ? 127 : part.charCodeAt(0) - 0x2400])
  })
  return Buffer.concat(parts)
}

describe('createLogView', () => {
  test.each<[string, string | Buffer, string]>([
    ['a colour', '\u001b[1mbold\u001b[0m\n', '␛[1mbold␛[0m\n'],
    ['a bar that is drawn again', ' 10%\r 20%\r\n', ' 10%␍ 20%\r\n'],
    ['a carriage return at the end', 'a\r', 'a␍'],
    ['what turns the direction', 'a\u202eb', 'a⟨U+202E⟩b'],
    ['bytes that are no character', Buffer.from([97, 0xff, 98, 0xc3, 0x28, 0xe2, 0x82]), 'a⟨0xFF⟩b⟨0xC3⟩(⟨0xE2⟩⟨0x82⟩'],
    ['a character written too long', Buffer.from([0xc0, 0xaf, 0xe0, 0x80, 0xaf]), '⟨0xC0⟩⟨0xAF⟩⟨0xE0⟩⟨0x80⟩⟨0xAF⟩'],
    ['half a surrogate pair', Buffer.from([0xed, 0xa0, 0x80]), '⟨0xED⟩⟨0xA0⟩⟨0x80⟩'],
    ['a byte order mark', '\ufeffa', '⟨U+FEFF⟩a'],
    ['a line like a header', 'a\n=== pod=x container=adapter', 'a\n⟨U+003D⟩== pod=x container=adapter'],
    ['the same at the beginning', '=== pod=x', '⟨U+003D⟩== pod=x'],
    ['a line like a note', '[EvalHub: all is well]\n[EvalHub keeps', '⟨U+005B⟩EvalHub: all is well]\n⟨U+005B⟩EvalHub keeps'],
    ['the same after a byte that is none', Buffer.from('\xff=== pod=\n=== pod=\xff', 'latin1'), '⟨0xFF⟩=== pod=\n⟨U+003D⟩== pod=⟨0xFF⟩'],
    ['selectors where they select nothing', '=\ufe0f== pod=\n1\ufe0f', '=⟨U+FE0F⟩== pod=\n1⟨U+FE0F⟩'],
    ['emoji and keys as they are', '⚠\ufe0f 1\ufe0f\u20e3 ❤\ufe0e', '⚠\ufe0f 1\ufe0f\u20e3 ❤\ufe0e'],
    ['what only begins so', '=== po\n[Eval\n === pod=\n==== pod=\na [EvalHub', '=== po\n[Eval\n === pod=\n==== pod=\na [EvalHub'],
  ])('shows %s', (_, text, expected) => {
    expect(shown(text)).toBe(expected)
  })

  test('shows notes of EvalHub’s own as they are, and in them what is not seen', () => {
    expect(shownOf([Buffer.from('[EvalHub: \u001bx]\n')], true)).toBe('[EvalHub: ␛x]\n')
  })

  // Source: the Unicode of this Node. Guarantee: what has no sign of its own makes no line look like ours, wherever it stands in it.
  test.each(['=== pod=', '[EvalHub'])('no character that is ignored hides that a line is not %s', (mark) => {
    const ignored = Array.from({ length: 0x110000 }, (_, code) => code)
      .filter((code) => code < 0xd800 || code > 0xdfff)
      .map((code) => String.fromCodePoint(code))
      .filter((character) => /[\p{Default_Ignorable_Code_Point}\p{Variation_Selector}\p{Bidi_Control}]/u.test(character))
    expect(ignored.length).toBeGreaterThan(4000)
    for (let at = 0; at <= mark.length; at++) {
      const lines = ignored.map((character) => mark.slice(0, at) + character + mark.slice(at))
      const looks = shown(lines.join('\n'))
        .replaceAll(/[\p{Default_Ignorable_Code_Point}\p{Variation_Selector}\p{Bidi_Control}]/gu, '')
        .split('\n')
      expect(looks.length).toBe(lines.length)
      expect(looks.filter((line) => line.startsWith(mark))).toEqual([])
    }
  })

  const text = fc
    .array(
      fc.oneof(
        fc.constantFrom('\n', '\r', '\r\n', '=', '=== pod=', '=== p', '[', '[EvalHub', '\u001b[31m', '\u202e', '␛', '⟨U+202E⟩', 'ü', '🙂'),
        fc.constantFrom('\ufe0e', '\ufe0f', '\ufe00', '1', '#', '\u20e3', '⚠', '🙂\ufe0f', '0\ufe0f\u20e3'),
        fc.string({ unit: 'binary', maxLength: 3 }),
        fc.uint8Array({ maxLength: 4 }),
      ),
    )
    .map((parts) => Buffer.concat(parts.map((part) => Buffer.from(part))))

  // Guarantee: nothing is lost, nothing looks like something else, and it does not depend on how the bytes come.
  test('whatever is shown says which bytes it is of, however they come', () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat(40), { maxLength: 8 }), (bytes, lengths) => {
        const whole = shownOf([bytes])
        expect(bytesOf(whole).equals(bytes)).toBe(true)
        const pieces: Buffer[] = []
        let rest = bytes
        for (const length of lengths) {
          pieces.push(rest.subarray(0, length))
          rest = rest.subarray(length)
        }
        expect(shownOf([...pieces, rest])).toBe(whole)
        expect(whole).not.toMatch(/(?!\n|\t|\r\n)[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u)
        expect(whole).not.toMatch(/^(?:=== pod=|\[EvalHub)/m)
        expect(whole.split('\n').length).toBe(bytes.toString('latin1').split('\n').length)
      }),
      { numRuns: 2000 },
    )
  })

  // Guarantee: logs, messages and lines of the terminal are made visible by one rule.
  test('text without lines like ours is shown as everywhere else, however it comes', () => {
    const words = fc.array(
      fc.oneof(
        fc.constantFrom('\r\n', '\r', '\n', '\ufe0e', '\ufe0f', '\ufe00', '1', '#', '\u20e3', '⚠', '🙂', '\u{e0100}', 'ü', '\u2028'),
        fc.string({ unit: 'binary' }),
      ),
    )
    fc.assert(
      fc.property(words, fc.nat(60), (parts, cut) => {
        const whole = parts.join('').toWellFormed()
        const bytes = Buffer.from(whole)
        expect(shownOf([bytes.subarray(0, cut), bytes.subarray(cut)])).toBe(visible(whole))
      }),
      { numRuns: 2000 },
    )
  })

  test('passes what it can as it is, and takes the rest some at a time', () => {
    const view = createLogView()
    const plain = Buffer.alloc(1024 * 1024, 'a line\n')
    expect([...view.show(plain)]).toEqual([plain])
    const parts = [...view.show(Buffer.alloc(1024 * 1024, 0xff))]
    expect(Math.max(...parts.map(({ length }) => length))).toBeLessThanOrEqual(10 * 64 * 1024)
  })
})
