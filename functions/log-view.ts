import { isUnseen, signOf, signOfByte } from '#shared/domain/visible-text.ts'

/**
 * How a log is shown: as it is, but for what is not seen, or makes something else seen (`visible`), and for lines that begin as those that
 * EvalHub writes between and into logs. Each byte that is part of no character is shown too, so nothing is lost and nothing can be taken for
 * something else.
 */
export type LogView = {
  /** Shows the next bytes. Some of the last, or all, may come with the next call: a part of a character, or of what may become a line of ours. */
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

  const step = (bytes: Uint8Array, { isOwn, isEnd }: { isOwn: boolean; isEnd: boolean }): Uint8Array => {
    const whole = held.length > 0 ? joined(held, bytes) : bytes
    const end = isEnd ? whole.length : whole.length - heldLength(whole, isLineStart)
    held = end < whole.length ? whole.slice(end) : NOTHING
    const shown = shownBytes(whole.subarray(0, end), { isOwn, isLineStart })
    if (end > 0) isLineStart = whole[end - 1] === NEWLINE
    return shown
  }
  const passes = (bytes: Uint8Array) => {
    if (held.length > 0 || heldLength(bytes, isLineStart) > 0 || nextHidden(bytes, 0, { isOwn: false, isLineStart })) return false
    if (bytes.length > 0) isLineStart = bytes.at(-1) === NEWLINE
    return true
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

const isMark = (bytes: Uint8Array, at: number) => MARKS.some((mark) => beginsWith(bytes, at, mark))

/** How many of the last bytes can only be judged with those that follow. */
function heldLength(bytes: Uint8Array, isLineStart: boolean): number {
  const { length } = bytes
  if (bytes[length - 1] === RETURN) return 1
  const newline = bytes.lastIndexOf(NEWLINE)
  const rest = newline < 0 && !isLineStart ? 0 : length - newline - 1
  if (rest > 0 && MARKS.some((mark) => rest < mark.length && beginsWith(bytes, length - rest, mark, rest))) return rest
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

/** So many bytes that are not shown as they are, and what is shown in their place. */
type Hidden = { at: number; length: number; sign: Uint8Array }

type Line = { isOwn: boolean; isLineStart: boolean }

function nextHidden(bytes: Uint8Array, start: number, { isOwn, isLineStart }: Line): Hidden | undefined {
  if (start === 0 && isLineStart && !isOwn && isMark(bytes, 0)) return hiddenAt(bytes, 0)
  for (let at = plainEnd(bytes, start); at < bytes.length; at = plainEnd(bytes, at + 1)) {
    const byte = bytes[at] ?? 0
    if (byte === NEWLINE) {
      if (!isOwn && isMark(bytes, at + 1)) return hiddenAt(bytes, at + 1)
    } else if (byte >= 0x80) {
      const length = characterLength(bytes, at)
      if (length === 0 || at + length > bytes.length) return { at, length: 1, sign: encoder.encode(signOfByte(byte)) }
      const code = codeAt(bytes, at, length)
      if (isUnseen(code)) return { at, length, sign: encoder.encode(signOf(code)) }
      at += length - 1
    } else if (byte !== TAB && (byte !== RETURN || bytes[at + 1] !== NEWLINE)) return hiddenAt(bytes, at)
  }
  return undefined
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
const SIGNS = Array.from({ length: 0x80 }, (_, code) => encoder.encode(signOf(code)))

const hiddenAt = (bytes: Uint8Array, at: number): Hidden => ({ at, length: 1, sign: SIGNS[bytes[at] ?? 0] ?? NOTHING })

function shownBytes(bytes: Uint8Array, line: Line): Uint8Array {
  let hidden = nextHidden(bytes, 0, line)
  if (!hidden) return bytes
  let shown = new Uint8Array(bytes.length * 2)
  let length = 0
  const add = (part: Uint8Array) => {
    if (length + part.length > shown.length) shown = joined(shown, new Uint8Array(shown.length + part.length))
    shown.set(part, length)
    length += part.length
  }
  let from = 0
  for (; hidden; hidden = nextHidden(bytes, from, line)) {
    add(bytes.subarray(from, hidden.at))
    add(hidden.sign)
    from = hidden.at + hidden.length
  }
  add(bytes.subarray(from))
  return shown.subarray(0, length)
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(one.length + other.length)
  whole.set(one)
  whole.set(other, one.length)
  return whole
}
