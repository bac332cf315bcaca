import { isStyle, isStyleSelector, isUnseen, signOf, signOfByte } from '#shared/domain/visible-text.ts'

/**
 * How a log is shown: as it is, but for what is not seen, or makes something else seen (`visible`), and for lines that begin as those that
 * EvalHub writes between and into logs. Each byte that is part of no character is shown too, so nothing is lost and nothing can be taken for
 * something else.
 */
export type LogView = {
  /** Shows the next bytes. Some of the last, or all, may come with the next call: what can only be judged with what follows. */
  show: (bytes: Uint8Array, isOwn?: boolean) => Iterable<Uint8Array>
  /** True if the next bytes can be shown as they are; then they count as shown. */
  passes: (bytes: Uint8Array) => boolean
  /** What is left at the end. */
  end: () => Uint8Array
}

/** Shown bytes of as many are ten times as many at most. */
const SLICE_BYTES = 64 * 1024

const NOTHING: Uint8Array = new Uint8Array()
const [TAB, NEWLINE, RETURN] = [9, 10, 13]

export function createLogView(): LogView {
  let held = NOTHING
  let isLineStart = true
  let before: number | undefined

  /** So many of the bytes have been shown. */
  const pass = (bytes: Uint8Array, end: number) => {
    if (end === 0) return
    isLineStart = bytes[end - 1] === NEWLINE
    before = codeBefore(bytes, end)
  }
  const step = (bytes: Uint8Array, { isOwn, isEnd }: { isOwn: boolean; isEnd: boolean }): Uint8Array => {
    const whole = held.length > 0 ? joined(held, bytes) : bytes
    const end = isEnd ? whole.length : whole.length - heldLength(whole, isLineStart)
    held = end < whole.length ? whole.slice(end) : NOTHING
    const shown = shownBytes(whole.subarray(0, end), { isOwn, isLineStart, before })
    pass(whole, end)
    return shown
  }
  const passes = (bytes: Uint8Array) => {
    if (held.length > 0 || heldLength(bytes, isLineStart) > 0) return false
    const isPlain = nextHidden(bytes, 0, { isOwn: false, isLineStart, before }) === bytes.length
    if (isPlain) pass(bytes, bytes.length)
    return isPlain
  }
  const next = (bytes: Uint8Array, isOwn: boolean) => step(bytes, { isOwn, isEnd: false })
  function* slices(bytes: Uint8Array, isOwn: boolean) {
    for (let at = 0; at < bytes.length; at += SLICE_BYTES) yield next(bytes.subarray(at, at + SLICE_BYTES), isOwn)
  }
  return {
    passes,
    show(bytes, isOwn = false) {
      if (bytes.length <= SLICE_BYTES) return [next(bytes, isOwn)]
      return passes(bytes) ? [bytes] : slices(bytes, isOwn)
    },
    end: () => step(NOTHING, { isOwn: false, isEnd: true }),
  }
}

/** With what lines of EvalHub's own begin: headers of an answer, and notes in a stored log. */
const MARKS = ['=== pod=', '[EvalHub'].map((mark) => new TextEncoder().encode(mark))

const beginsWith = (bytes: Uint8Array, at: number, mark: Uint8Array, length = mark.length): boolean => {
  for (let next = 0; next < length; next++) if (bytes[at + next] !== mark[next]) return false
  return true
}

function isMark(bytes: Uint8Array, at: number): boolean {
  for (const mark of MARKS) if (beginsWith(bytes, at, mark)) return true
  return false
}

/** How many of the last bytes can only be judged with those that follow. */
function heldLength(bytes: Uint8Array, isLineStart: boolean): number {
  const { length } = bytes
  if (bytes[length - 1] === RETURN) return 1
  const newline = bytes.lastIndexOf(NEWLINE)
  const rest = newline < 0 && !isLineStart ? 0 : length - newline - 1
  if (rest > 0 && MARKS.some((mark) => rest < mark.length && beginsWith(bytes, length - rest, mark, rest))) return rest
  const begun = begunLength(bytes)
  return isStyleSelector(codeBefore(bytes, length - begun)) ? begun + STYLE_BYTES : begun
}

/** How many of the last bytes are the beginning of a character. */
function begunLength(bytes: Uint8Array): number {
  const { length } = bytes
  for (let back = 1; back <= Math.min(3, length); back++) {
    const wanted = characterLength(bytes, length - back)
    if (wanted > 0) return wanted > back ? back : 0
  }
  return 0
}

/** Bytes of the character that begins there, also if some of its end are missing; 0 if none begins. Source: table 3-7 of the Unicode Standard. */
function characterLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0
  if (lead < 0x80) return 1
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0
  const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  for (let next = 1; next < length && at + next < bytes.length; next++) {
    const byte = bytes[at + next] ?? 0
    if (byte < (next === 1 ? least : 0x80) || byte > (next === 1 ? most : 0xbf)) return 0
  }
  return length
}

function codeAt(bytes: Uint8Array, at: number, length: number): number {
  let code = (bytes[at] ?? 0) & (0xff >> (length + 1))
  for (let next = 1; next < length; next++) code = (code << 6) | ((bytes[at + next] ?? 0) & 0x3f)
  return code
}

/** The character that ends there, if one does. */
function codeBefore(bytes: Uint8Array, end: number): number | undefined {
  for (let length = 1; length <= Math.min(4, end); length++) {
    if (characterLength(bytes, end - length) === length) return codeAt(bytes, end - length, length)
  }
  return undefined
}

/** Bytes of the character that is there; 0 if none is, or not all of it. */
function wholeLength(bytes: Uint8Array, at: number): number {
  const length = characterLength(bytes, at)
  return at + length > bytes.length ? 0 : length
}

function codeFrom(bytes: Uint8Array, start: number): number | undefined {
  const length = wholeLength(bytes, start)
  return length === 0 ? undefined : codeAt(bytes, start, length)
}

/** Of a selector. */
const STYLE_BYTES = 3

const isStyleAt = (bytes: Uint8Array, at: number, code: number, before: number | undefined): boolean =>
  isStyleSelector(code) && isStyle(code, at === 0 ? before : codeBefore(bytes, at), codeFrom(bytes, at + STYLE_BYTES))

/** `before`: the character before the bytes. */
type Line = { isOwn: boolean; isLineStart: boolean; before: number | undefined }

/** Where the next begin that are not shown as they are; where the bytes end if none are. */
function nextHidden(bytes: Uint8Array, start: number, { isOwn, isLineStart, before }: Line): number {
  if (start === 0 && isLineStart && !isOwn && isMark(bytes, 0)) return 0
  let at = plainEnd(bytes, start)
  for (; at < bytes.length; at = plainEnd(bytes, at + 1)) {
    const byte = bytes[at] ?? 0
    if (byte === NEWLINE) {
      if (!isOwn && isMark(bytes, at + 1)) return at + 1
    } else if (byte >= 0x80) {
      const length = wholeLength(bytes, at)
      if (length === 0) return at
      const code = codeAt(bytes, at, length)
      if (isUnseen(code) && !isStyleAt(bytes, at, code, before)) return at
      at += length - 1
    } else if (byte !== TAB && (byte !== RETURN || bytes[at + 1] !== NEWLINE)) return at
  }
  return bytes.length
}

/** Where the letters, digits and signs of ASCII end: most logs are hardly anything else. */
function plainEnd(bytes: Uint8Array, start: number): number {
  let at = start
  for (; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte < 0x20 || byte > 0x7e) break
  }
  return at
}

const encoder = new TextEncoder()
const SIGNS_OF_BYTES = Array.from({ length: 0x100 }, (_, byte) => encoder.encode(byte < 0x80 ? signOf(byte) : signOfByte(byte)))

/** Of characters beyond ASCII that were shown before: of some thousands at most. */
const signsOfCodes = new Map<number, Uint8Array>()

function signOfCode(code: number): Uint8Array {
  let sign = signsOfCodes.get(code)
  if (!sign) signsOfCodes.set(code, (sign = encoder.encode(signOf(code))))
  return sign
}

/** What one character, or byte of none, is shown as takes no more. */
const SIGN_BYTES = 16

function shownBytes(bytes: Uint8Array, line: Line): Uint8Array {
  let at = nextHidden(bytes, 0, line)
  if (at === bytes.length) return bytes
  let shown = new Uint8Array(bytes.length * 2 + 2 * SIGN_BYTES)
  let length = 0
  for (let from = 0; ; at = nextHidden(bytes, from, line)) {
    const room = shown.length - length - (at - from) - SIGN_BYTES
    if (room < 0) shown = joined(shown, new Uint8Array(shown.length - room))
    // Byte by byte: there are few between two, where there are many.
    for (; from < at; from++) shown[length++] = bytes[from] ?? 0
    if (at === bytes.length) return shown.subarray(0, length)
    const byte = bytes[at] ?? 0
    const count = byte < 0x80 ? 0 : wholeLength(bytes, at)
    const sign = count === 0 ? (SIGNS_OF_BYTES[byte] ?? NOTHING) : signOfCode(codeAt(bytes, at, count))
    for (let next = 0; next < sign.length; next++) shown[length++] = sign[next] ?? 0
    from = at + Math.max(1, count)
  }
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(one.length + other.length)
  whole.set(one)
  whole.set(other, one.length)
  return whole
}
