/**
 * How much memory JSON takes, its footprint, counted the same whether it is text or has been read: its bytes as text, 64 for each list, object and
 * member, and 16 for each item. Text alone says little: 10 MiB of `{},{},…` are 200 MiB once they are read. What V8 takes is at most 1.3 times
 * the footprint.
 */

const NODE = 64
const ITEM = 16

/** PostgreSQL writes a number without an exponent, so 5 characters may become 309. */
const LONGEST_NUMBER = 330

/** The footprint of a value that came from JSON. Never less than the bytes of what PostgreSQL answers for it. */
export function footprintOf(value: unknown): number {
  if (typeof value === 'string') return ITEM + textBytes(value)
  if (typeof value === 'number') return ITEM + (/e/.test(String(value)) ? LONGEST_NUMBER : 24)
  if (typeof value !== 'object' || value === null) return ITEM + 5
  let footprint = NODE
  if (Array.isArray(value)) for (const item of value) footprint += footprintOf(item)
  else
    for (const [key, member] of Object.entries(value)) footprint += member === undefined ? 0 : NODE + textBytes(key) + footprintOf(member)
  return footprint
}

const PLAIN = /^[ !#-[\]-~]*$/

const encoder = new TextEncoder()

const textBytes = (text: string): number => (PLAIN.test(text) ? text.length + 2 : encoder.encode(JSON.stringify(text)).length)

const [QUOTE, BACKSLASH, COMMA, COLON, OPEN_LIST, OPEN_OBJECT] = [0x22, 0x5c, 0x2c, 0x3a, 0x5b, 0x7b]
const [SMALL_E, LARGE_E] = [0x65, 0x45]

/** The footprint of JSON in UTF-8, without reading it. What is no JSON has some footprint too. */
export function footprintOfText(text: Uint8Array): number {
  let footprint = text.length + ITEM
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]
    if (byte === QUOTE) at = endOfString(text, at + 1)
    else if (byte === COMMA) footprint += ITEM
    else if (byte === COLON || byte === OPEN_LIST || byte === OPEN_OBJECT) footprint += NODE
    else if (byte === SMALL_E || byte === LARGE_E) footprint += isDigit(text[at - 1]) ? LONGEST_NUMBER : 0
  }
  return footprint
}

const isDigit = (byte: number | undefined) => byte !== undefined && byte >= 0x30 && byte <= 0x39

/** Where the quote is that ends a string; the end of the text if none does. */
function endOfString(text: Uint8Array, from: number): number {
  for (let at = text.indexOf(QUOTE, from); at >= 0; at = text.indexOf(QUOTE, at + 1)) {
    let before = at
    while (before > from && text[before - 1] === BACKSLASH) before--
    if ((at - before) % 2 === 0) return at
  }
  return text.length
}
