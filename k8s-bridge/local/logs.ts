import type { FileHandle } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { LogPosition } from '#db/queries/log-position.ts'
import { createLogBounds, headBytesOf, type LogBounds, type Piece } from '../log-bounds.ts'
import { contextBytes, redact, type Hidden } from '../redact.ts'
import { openCutFile, type CutFile } from './cut-file.ts'

type Options = {
  /** Open for reading and, unless `isOver`, for writing, without appending. */
  file: FileHandle
  /** Nobody appends to it any more, and it is left as it is. */
  isOver?: boolean
  /** Where to go on. */
  position: LogPosition
  /** Values that are stored as asterisks, even where pieces meet. */
  secrets: Hidden
  /** Bytes that are kept, half of them of the beginning and the rest of the end, and bytes of the file. */
  limitBytes: number
  append: (piece: Piece) => Promise<number>
}

export type Tail = {
  /** Keeps what was written since; of what comes after the beginning a piece at most. If it throws, the next call tries the same again. */
  ship(): Promise<void>
  /** Keeps the rest, to the very end: nothing more will be written. */
  finish(): Promise<void>
  /** Takes out of the file what is beyond the limit, at once, whatever is still to be kept of it. */
  cut(): Promise<void>
  /** The end of what was written, without secrets. */
  lastOutput(): Promise<string>
}

const compress = promisify(gzip)
const pieceBytesMax = 1024 * 1024
const lastBytes = 4096
/** With what shows whether the first of them belong to a secret. */
const endBytes = lastBytes + contextBytes

/**
 * Follows a file that a process appends to.
 *
 * Of a log of more than `limitBytes` the beginning and the end are kept. The file has no more than these after each cut, and between two of them what
 * was written meanwhile. Of what is written faster than it is kept, the last is: a quarter of the limit, or a mebibyte if that is less.
 */
export async function openTail({ file, isOver = false, position, secrets, limitBytes, append }: Options): Promise<Tail> {
  const pieceBytes = Math.min(pieceBytesMax, Math.floor(limitBytes / 8))
  const keepBytes = Math.min(pieceBytesMax, Math.floor(limitBytes / 4))
  const bounds = createLogBounds({ limitBytes, position, append })
  const log = await openCutFile({
    file,
    headBytes: headBytesOf(limitBytes),
    keepBytes,
    contextBytes,
    endBytes: Math.min(endBytes, keepBytes),
  })
  let { bytes: offset, seq } = position
  let readAtMs = Date.now()
  let underWay: Promise<void> | undefined
  const alone = createTurns()
  const readNext = async (isEnd: boolean) => {
    const read = await readPiece({ log, bounds, secrets, pieceBytes, offset, isEnd })
    offset = read.offset
    return read
  }

  const add = async (kept: Buffer) => {
    const now = Date.now()
    await bounds.keep({ seq, chunk: await compress(kept), bytes: kept.length, startByte: offset, firstAtMs: readAtMs, lastAtMs: now })
    offset += kept.length
    seq++
    readAtMs = now
  }

  const shipPieces = async (isEnd: boolean) => {
    for (;;) {
      const { kept, isLast } = await alone(() => readNext(isEnd))
      if (kept.length > 0) await add(kept)
      if (isLast) return cutIfLarger(limitBytes / 2)
      if (!isEnd && bounds.isBeyondHead(offset)) return
    }
  }

  /** A log that is within the limit is left in its file. */
  const cutIfLarger = (bytes: number) =>
    alone(async () => {
      if (!isOver && (await log.end()) > limitBytes && (await log.isLarger(bytes))) log.cut(offset)
    })

  const once = (isEnd: boolean) => {
    underWay = shipPieces(isEnd).finally(() => (underWay = undefined))
    return underWay
  }
  return {
    ship: () => underWay ?? once(false),
    async finish() {
      await underWay?.catch(() => undefined)
      await once(true)
    },
    cut: () => cutIfLarger(limitBytes),
    async lastOutput() {
      const output = await alone(() => log.last(endBytes))
      return redact(output, secrets).subarray(-lastBytes).toString()
    },
  }
}

/** One after the other: what is read must not be moved meanwhile. */
function createTurns(): <Value>(act: () => Promise<Value>) => Promise<Value> {
  let last: Promise<unknown> = Promise.resolve()
  return (act) => {
    const turn = last.then(act)
    last = turn.catch(() => undefined)
    return turn
  }
}

type Place = { log: CutFile; bounds: LogBounds; secrets: Hidden; pieceBytes: number; offset: number; isEnd: boolean }

/** The next that can be kept, where it begins, and whether it is the last that there is. */
type Read = { kept: Buffer; offset: number; isLast: boolean }

async function readPiece(place: Place): Promise<Read> {
  const { log, bounds, secrets, pieceBytes, isEnd } = place
  let offset = log.next(place.offset)
  // More than is kept of the end would be taken away at once.
  if (isEnd && bounds.isBeyondHead(offset)) offset = Math.max(offset, bounds.tailStart(await log.end()))
  const from = Math.min(offset, contextBytes)
  const { bytes: text, isCut } = await log.read(offset - from, from + pieceBytes)
  const isLast = text.length < from + pieceBytes && !isCut
  // The beginning of a secret waits for the rest of it; before a cut that is gone, and it too.
  const kept = redact(text, secrets, { from, isEnd: isEnd && isLast })
  if (isCut && kept.length === 0) return readPiece({ ...place, offset: offset + text.length - from })
  return { kept, offset, isLast }
}
