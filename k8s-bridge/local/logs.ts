import type { FileHandle } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { LogChunk } from '#db/commands/append-log.ts'
import type { LogPosition } from '#db/queries/log-position.ts'
import { contextBytes, redact, type Hidden } from '../redact.ts'

export type Piece = Pick<LogChunk, 'seq' | 'chunk' | 'bytes' | 'firstAtMs' | 'lastAtMs' | 'times'>

type Options = {
  file: FileHandle
  /** Where to go on. */
  position: LogPosition
  /** Values that are stored as asterisks, even where pieces meet. */
  secrets: Hidden
  /** Bytes that are kept. */
  limitBytes: number
  append: (piece: Piece) => Promise<void>
}

export type Tail = {
  /** Keeps what was written since. If it throws, the next call tries the same again. */
  ship(): Promise<void>
  /** The same to the very end: nothing more will be written. */
  finish(): Promise<void>
  /** Drops what is beyond the limit from the file, at once, whatever is still to be kept of its beginning. */
  cut(): Promise<void>
  /** The end of what was written, without secrets. */
  lastOutput(): Promise<string>
}

const compress = promisify(gzip)
const pieceBytes = 1024 * 1024
const lastBytes = 4096
/** With what shows whether the first of them belong to a secret. */
const endBytes = lastBytes + contextBytes
const newline = 10

/**
 * Follows a file that a process appends to.
 *
 * Beyond `limitBytes` nothing is kept but a line that says so. The file, which must be open for appending on the other side, has as many bytes
 * after each cut, and between two of them what was written meanwhile.
 */
export function createTail({ file, position, secrets, limitBytes, append }: Options): Tail {
  let { bytes: offset, seq } = position
  let isFull = offset >= limitBytes
  let isLineOpen = offset > 0
  let readAtMs = Date.now()
  /** The end of what was cut off, and where in the file goes on what was written since. */
  let dropped: Buffer = Buffer.alloc(0)
  let droppedAt = 0
  let underWay: Promise<void> | undefined
  let cutting: Promise<void> | undefined

  const add = async (content: Buffer, times?: Buffer) => {
    const now = Date.now()
    const piece = { seq, chunk: await compress(content), bytes: content.length, firstAtMs: readAtMs, lastAtMs: now }
    await append({ ...piece, ...(times && { times }) })
    seq++
    readAtMs = now
  }

  /** A line without a time, which makes it EvalHub's own. */
  const addNote = async (words: string) => add(Buffer.from(`${isLineOpen ? '\n' : ''}[${words}]\n`), await compress('\n'))

  const shipPieces = async (isEnd: boolean) => {
    while (!isFull) {
      const from = Math.min(offset, contextBytes)
      const text = await read(file, offset - from, from + Math.min(pieceBytes, limitBytes - offset))
      const piece = text.subarray(from)
      const isAtLimit = offset + piece.length >= limitBytes
      // The beginning of a secret waits for the rest of it.
      const kept = redact(text, secrets, { from, isEnd: isEnd && piece.length < pieceBytes && !isAtLimit })
      if (kept.length > 0) await add(kept)
      offset += kept.length
      if (kept.length > 0) isLineOpen = kept.at(-1) !== newline
      if (isAtLimit) await addNote(`EvalHub keeps ${limitBytes} bytes of a log: what came after was dropped`)
      isFull = isAtLimit
      if (piece.length < pieceBytes && !isAtLimit) return
    }
    await cut()
  }

  const end = async (length: number) => Buffer.concat([dropped, await lastOf(file, droppedAt, length)])
  const cutOnce = async () => {
    const { size } = await file.stat()
    if (size <= limitBytes) return
    dropped = (await end(endBytes)).subarray(-endBytes)
    droppedAt = isFull ? 0 : limitBytes
    await file.truncate(droppedAt)
  }
  const cut = () => (cutting ??= cutOnce().finally(() => (cutting = undefined)))

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
    cut,
    async lastOutput() {
      return redact((await end(endBytes)).subarray(-endBytes), secrets)
        .subarray(-lastBytes)
        .toString()
    },
  }
}

async function read(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

/** The last bytes of those from `start` on. */
async function lastOf(file: FileHandle, start: number, length: number): Promise<Buffer> {
  const { size } = await file.stat()
  const from = Math.max(start, size - length)
  return read(file, from, Math.max(0, size - from))
}
