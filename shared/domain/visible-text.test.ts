import { describe, expect, test } from 'vitest'
import { isStyle, isStyleSelector, isUnseen, visible, visibleJson, visibleLine } from './visible-text.ts'

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
    ['selectors where they select nothing', '=\ufe0f== 1\ufe0f漢\u{e0100}∩\ufe00', '=⟨U+FE0F⟩== 1⟨U+FE0F⟩漢⟨U+E0100⟩∩⟨U+FE00⟩'],
    ['selectors after one that selects', '⚠\ufe0f\ufe0f😀\ufe0e\ufe0f', '⚠\ufe0f⟨U+FE0F⟩😀\ufe0e⟨U+FE0F⟩'],
    ['selectors of a key without a cap', '1\ufe0f \u20e3#\ufe0e\u20e3a\ufe0f\u20e3', '1⟨U+FE0F⟩ \u20e3#⟨U+FE0E⟩\u20e3a⟨U+FE0F⟩\u20e3'],
    ['formats of hieroglyphs', 'a\u{13430}b', 'a⟨U+13430⟩b'],
    ['its own signs', 'a␛⟨U+202E⟩', 'a⟨U+241B⟩⟨U+27E8⟩U+202E⟩'],
  ])('shows %s', (_, text, shown) => {
    expect(visible(text)).toBe(shown)
  })

  test.each([
    '',
    'plain\n\ttext\r\n',
    'ä 漢字 العربية हिन्दी 🙂 ❤️',
    '⚠\ufe0f ⚠\ufe0e ©\ufe0f 🏳\ufe0f 0\ufe0f\u20e3*\ufe0f\u20e3',
    '\u070f\u0600',
    '{"a":"\\u001b"}',
    '50%|█████     | 5/10 [00:01<00:01]',
    '⟩',
    '\\x1b',
  ])('leaves %j as it is', (text) => {
    expect(visible(text)).toBe(text)
  })

  // Source: the Unicode of this Node. Characters that are assigned later may be new ones.
  test('shows every character that is a control or ignorable', () => {
    const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Variation_Selector}\p{Bidi_Control}\p{Cs}]/u
    // Formats with a sign, before or around what they are of: Prepended_Concatenation_Mark, which expressions do not know.
    const signs = /[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}]/u
    const missed: string[] = []
    for (let code = 0; code <= 0x10ffff; code++) {
      const character = String.fromCodePoint(code)
      if (hidden.test(character) && !signs.test(character) && !isUnseen(code)) missed.push(code.toString(16))
      if (code !== 9 && code !== 10 && isUnseen(code) === (visible(character) === character)) missed.push(`visible ${code.toString(16)}`)
    }
    expect(missed).toEqual([])
  })

  // Guarantee: whatever reads characters one by one says the same of them.
  test('leaves a selector only after an emoji, or in a key with a cap', () => {
    const missed: string[] = []
    for (let code = 0; code <= 0x1ffff; code++) {
      const character = String.fromCodePoint(code)
      const isEmoji = code > 0x7f && /\p{Emoji}/u.test(character)
      for (const selector of ['\ufe0e', '\ufe0f', '\ufe00', '\u{e0100}']) {
        const isSeen = visible(character + selector).endsWith(selector)
        const of = selector.codePointAt(0)!
        if (isSeen !== (isEmoji && isStyleSelector(of))) missed.push(`${code.toString(16)} ${of.toString(16)}`)
        if (isStyleSelector(of) && isStyle(of, code, undefined) !== isSeen) missed.push(`isStyle ${code.toString(16)} ${of.toString(16)}`)
      }
      const isKey = isStyle(0xfe0f, code, 0x20e3)
      if (isKey !== (isEmoji || /[0-9#*]/.test(character))) missed.push(`key ${code.toString(16)}`)
      if (isKey !== visible(`${character}\ufe0f\u20e3`).includes('\ufe0f')) missed.push(`visible key ${code.toString(16)}`)
    }
    expect(missed).toEqual([])
  })

  test('in one line, ends of lines are shown too', () => {
    expect(visibleLine('a\tb\r\nc\u001b')).toBe('a␉b␍␊c␛')
    expect(visibleLine('⚠\ufe0fa\ufe0f')).toBe('⚠\ufe0fa⟨U+FE0F⟩')
  })

  test('JSON holds the same and shows it', () => {
    const value = { 'ä\u009b': 'a\u007f\u202e\u{e0041}\u2028 漢\u001b=\ufe0f⚠\ufe0f' }
    const json = visibleJson(JSON.stringify(value))
    expect(json).toBe('{"ä\\u009b":"a\\u007f\\u202e\\udb40\\udc41\\u2028 漢\\u001b=\\ufe0f⚠\ufe0f"}')
    expect(JSON.parse(json)).toEqual(value)
  })
})
