import { describe, expect, test } from 'vitest'
import { isUnseen, visible, visibleJson, visibleLine } from './visible-text.ts'

describe('visible', () => {
  test.each([
    ['a colour', '\u001b[31mred\u001b[0m', '␛[31mred␛[0m'],
    ['a link', '\u001b]8;;http://evil\u0007here\u001b]8;;\u0007', '␛]8;;http://evil␇here␛]8;;␇'],
    ['a title', '\u001b]0;title\u001b\\', '␛]0;title␛\\'],
    ['a control sequence of one character', '\u009b2J', '⟨U+009B⟩2J'],
    ['what is written over', 'failed\rpassed\b\b', 'failed␍passed␈␈'],
    ['directions', 'a\u202eb\u2066c\u200f', 'a⟨U+202E⟩b⟨U+2066⟩c⟨U+200F⟩'],
    ['no width', 'a\u200bb\ufeff\u00ad\u{e0041}', 'a⟨U+200B⟩b⟨U+FEFF⟩⟨U+00AD⟩⟨U+E0041⟩'],
    ['other ends of a line', 'a\u2028b\u2029c\u0085d\u000be', 'a⟨U+2028⟩b⟨U+2029⟩c⟨U+0085⟩d␋e'],
    ['nothing', 'a\0b\u007f', 'a␀b␡'],
    ['half a surrogate pair', 'a\ud83d', 'a⟨U+D83D⟩'],
    ['its own signs', 'a␛⟨U+202E⟩', 'a⟨U+241B⟩⟨U+27E8⟩U+202E⟩'],
  ])('shows %s', (_, text, shown) => {
    expect(visible(text)).toBe(shown)
  })

  test.each(['', 'plain\n\ttext\r\n', 'ä 漢字 العربية हिन्दी 🙂 ❤️', '{"a":"\\u001b"}', '50%|█████     | 5/10 [00:01<00:01]', '⟩', '\\x1b'])(
    'leaves %j as it is',
    (text) => {
      expect(visible(text)).toBe(text)
    },
  )

  // Source: the Unicode of this Node. Characters that are assigned later may be new ones.
  test('shows every character that is a control or ignorable', () => {
    const hidden = /[\p{Cc}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Cs}]/u
    const missed: string[] = []
    for (let code = 0; code <= 0x10ffff; code++) {
      const character = String.fromCodePoint(code)
      const isSelector = code >= 0xfe00 && code <= 0xfe0f
      if (!isSelector && hidden.test(character) && !isUnseen(code)) missed.push(code.toString(16))
      if (code !== 9 && code !== 10 && isUnseen(code) === (visible(character) === character)) missed.push(`visible ${code.toString(16)}`)
    }
    expect(missed).toEqual([])
  })

  test('in one line, ends of lines are shown too', () => {
    expect(visibleLine('a\tb\r\nc\u001b')).toBe('a␉b␍␊c␛')
  })

  test('JSON holds the same and shows it', () => {
    const value = { 'ä\u009b': 'a\u007f\u202e\u{e0041}\u2028 漢\u001b' }
    const json = visibleJson(JSON.stringify(value))
    expect(json).toBe('{"ä\\u009b":"a\\u007f\\u202e\\udb40\\udc41\\u2028 漢\\u001b"}')
    expect(JSON.parse(json)).toEqual(value)
  })
})
