import type { LogPiece } from '#db/queries/run-logs.ts'
import { createLogView, type LogView } from './log-view.ts'

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

/**
 * The wanted part of a log as it is shown (`createLogView`), in pieces that are never empty: however long it is, no more than some pieces of it are
 * held at once.
 */
export async function* logStream(read: ReadPieces, { tail, timestamps }: LogWish): AsyncGenerator<Uint8Array> {
  const start = tail < 0 ? { after: BEFORE_ALL, skip: 0 } : await findTail(read, tail)
  yield* nonEmpty(shownFrom(read, start, timestamps), tail >= 0)
}

/** The parts that are not empty, without the newline at their very end if that `isSeparator`. */
async function* nonEmpty(parts: AsyncIterable<Uint8Array>, isSeparator: boolean): AsyncGenerator<Uint8Array> {
  let isHeld = false
  for await (const part of parts) {
    if (part.length === 0) continue
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
  const { text, times } = piece
  if (since === null || times === null) return piece
  const isOld = (time: string) => time !== '' && Date.parse(time) < Date.parse(since)
  const count = times.findLastIndex(isOld) + 1
  const start = count === 0 ? 0 : startsOf(text, times.length)[count]
  return { ...piece, text: start === undefined ? new Uint8Array() : text.subarray(start), times: times.slice(count) }
}

/** Where lines begin in a piece: `count` of them, if that is known, else `isLineStart` tells whether one begins with the piece. */
function startsOf(text: Uint8Array, count: number | undefined, isLineStart = false): number[] {
  if (text.length === 0) return []
  const starts: number[] = []
  for (let at = text.indexOf(NEWLINE); at >= 0 && at < text.length - 1; at = text.indexOf(NEWLINE, at + 1)) starts.push(at + 1)
  if (count === undefined ? isLineStart : count > starts.length) starts.unshift(0)
  return starts
}

type Place = { skip: number; isLineStart: boolean; timestamps: boolean }

/** As many shown bytes are put together before they are sent. */
const PART_BYTES = 256 * 1024

/** A piece from `skip`, which is where a line begins unless it is 0, line by line, and if wanted with its time before each that begins there. */
function* shownLines(view: LogView, piece: Piece, { skip, isLineStart, timestamps }: Place): Generator<Uint8Array> {
  const isPlain = view.passes(piece.text.subarray(skip))
  let parts: Uint8Array[] = []
  let bytes = 0
  for (const { text, time, isOwn } of linesOf(piece, skip, isLineStart)) {
    if (timestamps && time !== undefined) parts.push(new TextEncoder().encode(`${time} `))
    for (const part of isPlain ? [text] : view.show(text, isOwn)) {
      parts.push(part)
      bytes += part.length
      if (bytes < PART_BYTES) continue
      yield concatenated(parts)
      parts = []
      bytes = 0
    }
  }
  yield concatenated(parts)
}

/** `time`: of a line that begins there. */
type Line = { text: Uint8Array; time?: string; isOwn: boolean }

function* linesOf(piece: Piece, skip: number, isLineStart: boolean): Generator<Line> {
  let from = skip
  let line: Omit<Line, 'text'> = { isOwn: false }
  for (const [index, at] of startsOf(piece.text, piece.times?.length, isLineStart).entries()) {
    if (at > from) {
      yield { ...line, text: piece.text.subarray(from, at) }
      from = at
    }
    // A line of the bridge's own has no time but that of its neighbour.
    line = { time: piece.times?.[index] || (line.time ?? piece.lastAt), isOwn: piece.times?.[index] === '' }
  }
  yield { ...line, text: piece.text.subarray(from) }
}

const timesOf = async (times: Uint8Array): Promise<string[]> =>
  new TextDecoder()
    .decode(await gunzip(times))
    .replace(/\n$/, '')
    .split('\n')

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
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
