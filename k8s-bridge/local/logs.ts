import type { FileHandle } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { LogChunk } from '#db/commands/append-log.ts'
import type { LogPosition } from '#db/queries/log-position.ts'
import { partAtEnd, redact } from '../redact.ts'

export type Piece = Pick<LogChunk, 'seq' | 'chunk' | 'bytes' | 'firstAtMs' | 'lastAtMs'>

type Options = {
  file: FileHandle
  /** Where to go on. */
  position: LogPosition
  /** Values that are stored as asterisks, even where pieces meet. */
  secrets: readonly Buffer[]
  /** Bytes that are kept. */
  limitBytes: number
  append: (piece: Piece) => Promise<void>
}

export type Tail = {
  /** Keeps what was written since. If it throws, the next call tries the same again. */
  ship(): Promise<void>
  /** The same to the very end: nothing more will be written. */
  finish(): Promise<void>
  /** The end of what was written, without secrets. */
  lastOutput(): Promise<string>
}

const compress = promisify(gzip)
const pieceBytes = 1024 * 1024
const lastBytes = 4096

/**
 * Follows a file that a process appends to.
 *
 * Beyond `limitBytes` nothing is kept but a line that says so, and the file, which must be open for appending on the other side, is
 * emptied again and again, so that it stays about as small.
 */
export function createTail({ file, position, secrets, limitBytes, append }: Options): Tail {
  let { bytes: offset, seq } = position
  let isFull = offset >= limitBytes
  let readAtMs = Date.now()
  /** The end of what was there when the file was emptied. */
  let emptied: Buffer = Buffer.alloc(0)
  let underWay: Promise<void> | undefined

  const add = async (content: Buffer) => {
    const now = Date.now()
    await append({ seq, chunk: await compress(content), bytes: content.length, firstAtMs: readAtMs, lastAtMs: now })
    seq++
    readAtMs = now
  }

  const shipPieces = async (isEnd: boolean) => {
    while (!isFull) {
      const piece = await read(file, offset, Math.min(pieceBytes, limitBytes - offset))
      const isAtLimit = offset + piece.length >= limitBytes
      // The beginning of a secret waits for the rest of it.
      const kept = isEnd && piece.length < pieceBytes && !isAtLimit ? piece : piece.subarray(0, piece.length - partAtEnd(piece, secrets))
      if (kept.length > 0) await add(redact(kept, secrets))
      offset += kept.length
      if (isAtLimit) await add(Buffer.from(`\n[EvalHub keeps ${limitBytes} bytes of a log: what came after was dropped]\n`))
      isFull = isAtLimit
      if (piece.length < pieceBytes && !isAtLimit) return
    }
    const { size } = await file.stat()
    if (size <= limitBytes || isEnd) return
    emptied = await lastOf(file, lastBytes)
    await file.truncate(0)
  }

  const once = (isEnd: boolean) => {
    underWay = shipPieces(isEnd).finally(() => (underWay = undefined))
    return underWay
  }
  const longest = Math.max(0, ...secrets.map((secret) => secret.length))
  return {
    ship: () => underWay ?? once(false),
    async finish() {
      await underWay?.catch(() => undefined)
      await once(true)
    },
    async lastOutput() {
      const end = Buffer.concat([emptied, await lastOf(file, lastBytes + longest)])
      return redact(end, secrets).subarray(-lastBytes).toString()
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

async function lastOf(file: FileHandle, length: number): Promise<Buffer> {
  const { size } = await file.stat()
  return read(file, Math.max(0, size - length), Math.min(size, length))
}
