import type { LogPiece } from '#db/queries/run-logs.ts'
import { createLogView, type LogView } from './log-view.ts'
import { nextTurn } from './turns.ts'

/** What is wanted of a log. */
export type LogWish = {
  /** Last lines, without the newline after the last one; -1 for all, as it is. */
  tail: number
  /** True: each line begins with the time at which it was written, or, where only that is known, read; that is at most 2 s later. */
  timestamps: boolean
}

/** Reads the pieces of a log beyond `after`, some at a time; empty at the end. */
export type ReadPieces = (from: { after: number; backwards: boolean }) => Promise<LogPiece[]>

const NEWLINE = 10
const BEFORE_ALL = -1
const AFTER_ALL = 2 ** 31 - 1

/** Shown bytes after which others have a turn of the event loop; with the part before they are five times as many at most. */
const TURN_BYTES = 256 * 1024

/**
 * The wanted part of a log as it is shown (`createLogView`), in parts that are never empty: however long it is, no more than some pieces of it are
 * held at once, and whatever is in it, others have a turn of the event loop after 1.25 MiB at most, of which no part has more than 1 MiB.
 */
export async function* logStream(read: ReadPieces, { tail, timestamps }: LogWish): AsyncGenerator<Uint8Array> {
  const start = tail < 0 ? ALL : await findTail(read, tail)
  yield* nonEmpty(shownFrom(read, start, timestamps), tail >= 0)
}

/** The parts that are not empty, without the newline at their very end if that `isSeparator`. */
async function* nonEmpty(parts: AsyncIterable<Uint8Array>, isSeparator: boolean): AsyncGenerator<Uint8Array> {
  let isHeld = false
  let bytes = 0
  for await (const part of parts) {
    if (part.length === 0) continue
    if (bytes >= TURN_BYTES) {
      await nextTurn()
      bytes = 0
    }
    bytes += part.length
    if (isHeld) yield Uint8Array.of(NEWLINE)
    isHeld = isSeparator && part.at(-1) === NEWLINE
    const rest = isHeld ? part.subarray(0, -1) : part
    if (rest.length > 0) yield rest
  }
}

/** After which piece, and how far into the next, or into the line before it that says how much is missing there. */
type Start = { after: number; skip: number; isGap: boolean }

const ALL: Start = { after: BEFORE_ALL, skip: 0, isGap: true }

async function* shownFrom(read: ReadPieces, start: Start, timestamps: boolean): AsyncGenerator<Uint8Array> {
  const view = createLogView()
  let isFirst = true
  let isLineStart = true
  let isAfterGap = false
  for await (const found of pieces(read, start.after, false)) {
    // Where the piece is gone by now, with others before the one that is found, that is said.
    const isPlace: boolean = isFirst && found.seq === start.after + 1
    const isBeforeStart: boolean = isPlace && found.isGap && !start.isGap
    const skip = isPlace && found.isGap === start.isGap ? start.skip : 0
    const piece: Piece = found.isGap && !isLineStart ? afterNewline(found) : found
    const wanted: Uint8Array = piece.text.subarray(skip)
    const place = { skip, isLineStart, isAfterGap, timestamps }
    isFirst &&= isBeforeStart
    if (found.isGap) isAfterGap = true
    if (wanted.length === 0 || isBeforeStart) continue
    isAfterGap = found.isGap
    // Lines without a time are the bridge's own, where others have one.
    if (timestamps || piece.times?.includes('')) yield* shownLines(view, piece, place)
    else yield* view.show(wanted)
    isLineStart = wanted.at(-1) === NEWLINE
  }
  yield view.end()
}

/** `times`: of the lines that begin in it; empty where only that of its neighbour is known. `isGap`: it is the line that says what is missing before it. */
type Piece = { seq: number; text: Uint8Array; lastAt: string; times: string[] | null; isGap: boolean }

async function* pieces(read: ReadPieces, from: number, backwards: boolean): AsyncGenerator<Piece> {
  let after = from
  let seenEnd = 0
  for (;;) {
    const batch = await read({ after, backwards })
    if (batch.length === 0) return
    for (const { seq, chunk, last_at: lastAt, times, since, start_byte: start, missing } of batch) {
      const [text, lineTimes] = await Promise.all([gunzip(chunk), times && timesOf(times)])
      // There may be very many.
      if (lineTimes) await nextTurn()
      const piece = recentPart({ seq, text, lastAt, times: lineTimes, isGap: false }, since)
      // What was taken away after it was read is not missing here; and what is older than is wanted is not missed.
      const missed = piece.text.length < text.length ? 0 : Math.min(missing, (start ?? 0) - seenEnd)
      const gap = missed > 0 ? [gapBefore(piece, missed)] : []
      yield* backwards ? [piece, ...gap] : [...gap, piece]
      after = seq
      if (!backwards && start !== null) seenEnd = start + text.length
    }
  }
}

/** EvalHub's own line in place of bytes that are kept no more. */
function gapBefore({ seq, lastAt, times }: Piece, missing: number): Piece {
  const text = encoder.encode(`[EvalHub: ${missing} bytes are missing here: of a long log the beginning and the end are kept]\n`)
  return { seq, text, lastAt: times?.find((time) => time !== '') ?? lastAt, times: [''], isGap: true }
}

/** Where the beginning that is kept ends within a line. */
const afterNewline = (gap: Piece): Piece => ({ ...gap, text: concatenated([Uint8Array.of(NEWLINE), gap.text], gap.text.length + 1) })

/** Where the last `count` lines begin. */
async function findTail(read: ReadPieces, count: number): Promise<Start> {
  let lines = 0
  let isEnd = true
  let gap: Piece | undefined
  for await (const { seq, text, isGap, ...piece } of pieces(read, AFTER_ALL, true)) {
    let at = text.length
    // The newline after the last line separates it from nothing.
    if (isEnd && text.at(-1) === NEWLINE) at--
    if (text.length > 0) isEnd = false
    if (gap && text.length > 0) {
      // A line of EvalHub's own is always one of its own.
      if (text.at(-1) !== NEWLINE && ++lines === count) return { after: gap.seq - 1, skip: 0, isGap: true }
      gap = undefined
    }
    // Before the first byte there is no newline, though `lastIndexOf` would look from the end again.
    while (at > 0 && (at = text.lastIndexOf(NEWLINE, at - 1)) >= 0) {
      lines++
      if (lines === count) return { after: seq - 1, skip: isGap ? Number.POSITIVE_INFINITY : at + 1, isGap }
    }
    if (isGap) gap = { seq, text, isGap, ...piece }
  }
  return ALL
}

/** What is not older than `since` of a piece whose last line is not. Where the times of its lines are not known that is all of it. */
function recentPart(piece: Piece, since: string | null): Piece {
  const { times } = piece
  if (since === null || times === null) return piece
  // All are in UTC, and have more digits than this: they are in the order of their text.
  const sinceMs = new Date(since).toISOString().slice(0, -1)
  const count = times.findLastIndex((time) => time !== '' && time < sinceMs) + 1
  return count === 0 ? piece : { ...piece, text: fromLine(count, piece), times: times.slice(count) }
}

/** What begins with the line of that index. */
function fromLine(index: number, { text, times }: Piece): Uint8Array {
  let at = 0
  for (const start of startsOf(text, times?.length)) if (at++ === index) return text.subarray(start)
  return new Uint8Array()
}

/** Where lines begin in a piece: `count` of them, if that is known, else `isLineStart` tells whether one begins with the piece. */
function* startsOf(text: Uint8Array, count: number | undefined, isLineStart = false): Generator<number> {
  if (text.length === 0) return
  const last = text.length - 1
  if (count === undefined ? isLineStart : count > newlinesIn(text.subarray(0, last))) yield 0
  for (let at = text.indexOf(NEWLINE); at >= 0 && at < last; at = text.indexOf(NEWLINE, at + 1)) yield at + 1
}

function newlinesIn(text: Uint8Array): number {
  let count = 0
  for (const byte of text) if (byte === NEWLINE) count++
  return count
}

type Place = { skip: number; isLineStart: boolean; isAfterGap: boolean; timestamps: boolean }

/** As many shown bytes are put together before they are sent. */
const PART_BYTES = 256 * 1024

/** A piece from `skip`, which is where a line begins unless it is 0, line by line, and if wanted with its time before each that begins there. */
function* shownLines(view: LogView, piece: Piece, place: Place): Generator<Uint8Array> {
  const { skip, timestamps } = place
  const isPlain = view.passes(piece.text.subarray(skip))
  let parts: Uint8Array[] = []
  let bytes = 0
  // Many lines have the same.
  let stamp = { time: '', bytes: new Uint8Array() }
  const add = (part: Uint8Array) => {
    parts.push(part)
    bytes += part.length
  }
  for (const { text, time, isOwn } of linesOf(piece, place)) {
    if (timestamps && time !== undefined) {
      if (time !== stamp.time) stamp = { time, bytes: encoder.encode(`${time} `) }
      add(stamp.bytes)
    }
    for (const part of isPlain ? [text] : view.show(text, isOwn)) {
      add(part)
      if (bytes < PART_BYTES) continue
      yield concatenated(parts, bytes)
      parts = []
      bytes = 0
    }
  }
  yield concatenated(parts, bytes)
}

const encoder = new TextEncoder()

/** `time`: of a line that begins there. */
type Line = { text: Uint8Array; time?: string; isOwn: boolean }

/** Lines; where no times are wanted, as many together as are by the same writer. */
function* linesOf({ text, times, lastAt }: Piece, { skip, isLineStart, isAfterGap, timestamps }: Place): Generator<Line> {
  let from = skip
  // What is left of a line whose beginning is missing has the time of the next.
  let line: Omit<Line, 'text'> = { isOwn: false, ...(isAfterGap && { time: times?.find((time) => time !== '') ?? lastAt }) }
  let index = 0
  for (const at of startsOf(text, times?.length, isLineStart)) {
    // A line of the bridge's own has no time but that of its neighbour.
    const time = times?.[index++]
    const isOwn = time === ''
    if (!timestamps && isOwn === line.isOwn) continue
    if (at > from) {
      yield { ...line, text: text.subarray(from, at) }
      from = at
    }
    line = { time: time || (line.time ?? lastAt), isOwn }
  }
  yield { ...line, text: text.subarray(from) }
}

async function timesOf(times: Uint8Array): Promise<string[]> {
  const lines = new TextDecoder().decode(await gunzip(times)).split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}

function concatenated(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

async function gunzip(chunk: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([new Uint8Array(chunk)]).stream().pipeThrough(new DecompressionStream('gzip'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}
