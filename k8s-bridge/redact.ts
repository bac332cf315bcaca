import { createFinder, type Finder } from './find-values.ts'

/** What must not be shown: these values, or every byte but line ends, since there are too many values to look for. */
export type Hidden = readonly Buffer[] | 'everything'

/** No piece of a value is longer. Whoever redacts a text in parts gives as much of what comes before each of them. */
export const contextBytes = 64

/** Pieces of longer values. Each is hidden wherever it is, so that a part of a value that is shown has fewer bytes than two of them. */
const pieceBytes = contextBytes / 2
/** Shorter values are taken for words. */
const lengthMin = 8
/** Of all values that are looked for together; the tables for them take some 25 times as much memory. */
const hiddenBytesMax = 256 * 1024
const asterisk = 42
const newline = 10

type Part = {
  /** Where what is new begins; `contextBytes` before it are enough to know what of it is hidden. */
  from?: number
  /** False: more will follow. The end that a value may begin with, less than `contextBytes`, is left out, and is to be given again. */
  isEnd?: boolean
}

/**
 * A copy of `text`, from `from` on, in which each value is as many asterisks, so that positions stay true. Takes time by the length of the
 * text, whatever the values are.
 */
export function redact(text: Buffer, hidden: Hidden, { from = 0, isEnd = true }: Part = {}): Buffer {
  if (hidden === 'everything') return Buffer.from(text.subarray(from).map((byte) => (byte === newline ? byte : asterisk)))
  const result = Buffer.from(text)
  if (hidden.length === 0) return result.subarray(from)
  const finder = finderOf(hidden)
  let state = 0
  let run = { start: 0, end: 0 }
  for (let at = 0; at < text.length; at++) {
    state = finder.next(state, text[at] ?? 0)
    const length = finder.found(state)
    if (length === 0) continue
    const start = at + 1 - length
    // What overlaps is one run, so that values that repeat themselves are not written over and over.
    if (start > run.end) result.fill(asterisk, run.start, run.end)
    run = { start: start > run.end ? start : Math.min(start, run.start), end: at + 1 }
  }
  result.fill(asterisk, run.start, run.end)
  return result.subarray(from, isEnd ? text.length : Math.max(from, text.length - finder.begun(state)))
}

/** Of lists that are in use. */
const finders = new WeakMap<readonly Buffer[], Finder>()

function finderOf(values: readonly Buffer[]): Finder {
  const finder = finders.get(values) ?? createFinder(values.flatMap(piecesOf))
  finders.set(values, finder)
  return finder
}

/** Pieces that cover a value; the last two may overlap. */
function piecesOf(value: Buffer): Buffer[] {
  if (value.length <= contextBytes) return [value]
  const count = Math.ceil(value.length / pieceBytes)
  return Array.from({ length: count }, (_, index) => {
    const start = Math.min(index * pieceBytes, value.length - pieceBytes)
    return value.subarray(start, start + pieceBytes)
  })
}

/**
 * What must not be shown of the values of Secrets. A value of several lines, such as a key file, is hidden line by line: that is how logs
 * are kept. If these have more than 256 KiB together, everything is hidden.
 */
export function secretsToHide(values: Iterable<string>): Hidden {
  const lines = new Set<string>()
  let bytes = 0
  for (const value of values) {
    for (const part of value.split(/\r?\n/)) {
      const line = part.trim()
      const length = Buffer.byteLength(line)
      if (length < lengthMin || lines.has(line)) continue
      lines.add(line)
      bytes += length
      if (bytes > hiddenBytesMax) return 'everything'
    }
  }
  return [...lines].map((line) => Buffer.from(line))
}
