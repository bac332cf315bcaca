import type { LogPiece } from '#db/queries/run-logs.ts'

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

/** The wanted part of a log, in pieces that are never empty: however long it is, no more than some pieces of it are held at once. */
export async function* logStream(read: ReadPieces, { tail, timestamps }: LogWish): AsyncGenerator<Uint8Array> {
  const start = tail < 0 ? { after: BEFORE_ALL, skip: 0 } : await findTail(read, tail)
  let { skip } = start
  let isLineStart = true
  let isNewlineHeld = false
  for await (const piece of pieces(read, start.after, false)) {
    const wanted = piece.text.subarray(skip)
    const told = timestamps ? stamped(piece, skip, isLineStart) : wanted
    skip = 0
    if (wanted.length === 0) continue
    if (isNewlineHeld) yield Uint8Array.of(NEWLINE)
    isLineStart = wanted.at(-1) === NEWLINE
    isNewlineHeld = tail >= 0 && isLineStart
    const part = isNewlineHeld ? told.subarray(0, -1) : told
    if (part.length > 0) yield part
  }
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

/** A piece from `skip`, which is where a line begins unless it is 0, with its time before each line that begins there. */
function stamped(piece: Piece, skip: number, isLineStart: boolean): Uint8Array {
  const parts: Uint8Array[] = []
  let [from, time] = [skip, piece.lastAt]
  startsOf(piece.text, piece.times?.length, isLineStart).forEach((at, index) => {
    // A line of the bridge's own has no time but that of its neighbour.
    time = piece.times?.[index] || time
    if (at < skip) return
    parts.push(piece.text.subarray(from, at), new TextEncoder().encode(`${time} `))
    from = at
  })
  parts.push(piece.text.subarray(from))
  return concatenated(parts)
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
