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
  const start = tail < 0 ? { after: BEFORE_ALL, skip: 0 } : await findTail(read, tail)
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

type Start = { after: number; skip: number }

async function* shownFrom(read: ReadPieces, start: Start, timestamps: boolean): AsyncGenerator<Uint8Array> {
  const view = createLogView()
  let { skip } = start
  let isLineStart = true
  for await (const piece of pieces(read, start.after, false)) {
    const wanted = piece.text.subarray(skip)
    const place = { skip, isLineStart, timestamps }
    skip = 0
    if (wanted.length === 0) continue
    // Lines without a time are the bridge's own, where others have one.
    if (timestamps || piece.times?.includes('')) yield* shownLines(view, piece, place)
    else yield* view.show(wanted)
    isLineStart = wanted.at(-1) === NEWLINE
  }
  yield view.end()
}

/** `times`: of the lines that begin in it; empty where only that of its neighbour is known. */
type Piece = { seq: number; text: Uint8Array; lastAt: string; times: string[] | null }

async function* pieces(read: ReadPieces, from: number, backwards: boolean): AsyncGenerator<Piece> {
  let after = from
  for (;;) {
    const batch = await read({ after, backwards })
    if (batch.length === 0) return
    for (const { seq, chunk, last_at: lastAt, times, since } of batch) {
      const [text, lineTimes] = await Promise.all([gunzip(chunk), times && timesOf(times)])
      // There may be very many.
      if (lineTimes) await nextTurn()
      yield recentPart({ seq, text, lastAt, times: lineTimes }, since)
      after = seq
    }
  }
}

/** Where the last `count` lines begin: after which piece, and how far into the next. */
async function findTail(read: ReadPieces, count: number): Promise<{ after: number; skip: number }> {
  let lines = 0
  let isEnd = true
  for await (const { seq, text } of pieces(read, AFTER_ALL, true)) {
    let at = text.length
    // The newline after the last line separates it from nothing.
    if (isEnd && text.at(-1) === NEWLINE) at--
    if (text.length > 0) isEnd = false
    // Before the first byte there is no newline, though `lastIndexOf` would look from the end again.
    while (at > 0 && (at = text.lastIndexOf(NEWLINE, at - 1)) >= 0) {
      lines++
      if (lines === count) return { after: seq - 1, skip: at + 1 }
    }
  }
  return { after: BEFORE_ALL, skip: 0 }
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

type Place = { skip: number; isLineStart: boolean; timestamps: boolean }

/** As many shown bytes are put together before they are sent. */
const PART_BYTES = 256 * 1024

/** A piece from `skip`, which is where a line begins unless it is 0, line by line, and if wanted with its time before each that begins there. */
function* shownLines(view: LogView, piece: Piece, { skip, isLineStart, timestamps }: Place): Generator<Uint8Array> {
  const isPlain = view.passes(piece.text.subarray(skip))
  let parts: Uint8Array[] = []
  let bytes = 0
  // Many lines have the same.
  let stamp = { time: '', bytes: new Uint8Array() }
  const add = (part: Uint8Array) => {
    parts.push(part)
    bytes += part.length
  }
  for (const { text, time, isOwn } of linesOf(piece, { skip, isLineStart, timestamps })) {
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
function* linesOf({ text, times, lastAt }: Piece, { skip, isLineStart, timestamps }: Place): Generator<Line> {
  let from = skip
  let line: Omit<Line, 'text'> = { isOwn: false }
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
