/**
 * What text from elsewhere can hold that is not seen, or makes something else seen: control characters, with which terminals are steered,
 * line and paragraph separators, and all that Unicode calls ignorable (signs of no width, of direction, tags), but for the selectors of
 * emoji. Tab, newline and the carriage return before a newline are as harmless as they look. The signs that stand for all these are among
 * them, so that nothing else looks like one.
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
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfffb],
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe0fff],
]

/** Most characters are in pages without any. */
const PAGES: ReadonlySet<number> = new Set(UNSEEN.flatMap(([from, to]) => [...Array(0x1100).keys()].slice(from >> 8, (to >> 8) + 1)))

/** True for a character that has no sign of its own; the three harmless ones are among them. */
export const isUnseen = (code: number): boolean => PAGES.has(code >> 8) && UNSEEN.some(([from, to]) => code >= from && code <= to)

const escaped = (code: number) => `\\u{${code.toString(16)}}`
const CLASS = `[${UNSEEN.map(([from, to]) => `${escaped(from)}-${escaped(to)}`).join('')}]`
const IN_TEXT = new RegExp(String.raw`\r(?!\n)|(?![\t\r\n])${CLASS}`, 'gu')
const IN_LINE = new RegExp(CLASS, 'gu')

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
