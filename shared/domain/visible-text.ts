/**
 * What text from elsewhere can hold that is not seen, or makes something else seen: control characters, with which terminals are steered,
 * line and paragraph separators, and all that Unicode calls ignorable (signs of no width, of direction, tags, selectors of variants) or a
 * format, but for the formats that have a sign. Tab, newline and the carriage return before a newline are as harmless as they look. The signs
 * that stand for all these are among them, so that nothing else looks like one.
 */
const UNSEEN: readonly (readonly [from: number, to: number])[] = [
  [0x0, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x61c, 0x61c],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0x2400, 0x2421], // ␀ to ␡
  [0x27e8, 0x27e8], // ⟨
  [0x3164, 0x3164],
  [0xd800, 0xdfff],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfffb],
  [0x13430, 0x1343f],
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe0fff],
]

const BEYOND_BMP = UNSEEN.filter(([from]) => from > 0xffff)
const IN_BMP = new Uint8Array(0x10000)
for (const [from, to] of UNSEEN) IN_BMP.fill(1, from, to + 1)

/** True for a character that has no sign of its own. Among them are the three harmless ones, and selectors that `isStyle` judges. */
export const isUnseen = (code: number): boolean =>
  code < IN_BMP.length ? IN_BMP[code] === 1 : BEYOND_BMP.some(([from, to]) => code >= from && code <= to)

const [TEXT_STYLE, EMOJI_STYLE, KEYCAP] = [0xfe0e, 0xfe0f, 0x20e3]

/** True for the selectors that are seen beside some neighbours. */
export const isStyleSelector = (code: number | undefined): boolean => code === TEXT_STYLE || code === EMOJI_STYLE

/** Beyond ASCII, where every digit is one. */
const EMOJI = String.raw`(?!\p{ASCII})\p{Emoji}`
const ONE_EMOJI = new RegExp(`^${EMOJI}$`, 'u')
const KEYS = '0123456789#*'

/** Whether such a selector is seen: in how the emoji before it looks, or in the cap after it of the key before it. */
export function isStyle(code: number, before: number | undefined, after: number | undefined): boolean {
  if (before === undefined) return false
  const character = String.fromCodePoint(before)
  return ONE_EMOJI.test(character) || (code === EMOJI_STYLE && after === KEYCAP && KEYS.includes(character))
}

const escaped = (code: number) => `\\u{${code.toString(16)}}`
const CLASS = `[${UNSEEN.map(([from, to]) => `${escaped(from)}-${escaped(to)}`).join('')}]`
const STYLE = String.raw`${EMOJI}[\ufe0e\ufe0f]|[${KEYS}]\ufe0f(?=\u20e3)`
const IN_LINE = new RegExp(`${CLASS}(?<!${STYLE})`, 'gu')
const IN_TEXT = new RegExp(String.raw`\r(?!\n)|(?![\t\r\n])${CLASS}(?<!${STYLE})`, 'gu')

/** The text with all that is not seen in signs that are: `␛` for escape and the like, else `⟨U+202E⟩`. No two texts become the same. */
export const visible = (text: string): string => text.replaceAll(IN_TEXT, signOfFirst)

/** The same in one line, for where more of them would look like somebody else's words. */
export const visibleLine = (text: string): string => text.replaceAll(IN_LINE, signOfFirst)

/** JSON that holds the same, and in which all is seen. */
export const visibleJson = (json: string): string =>
  NOT_ASCII.test(json) ? json.replaceAll(IN_LINE, (character) => character.split('').map(unitOf).join('')) : json

const NOT_ASCII = /[^ -~]/
const unitOf = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

const signOfFirst = (character: string) => signOf(character.codePointAt(0) ?? 0)

/** What is shown in place of a character. */
export function signOf(code: number): string {
  if (code < 0x20) return String.fromCodePoint(0x2400 + code)
  if (code === 0x7f) return '␡'
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`
}

/** What is shown in place of a byte that is part of no character. */
export const signOfByte = (byte: number): string => `⟨0x${byte.toString(16).toUpperCase().padStart(2, '0')}⟩`
