import { open, type FileHandle } from 'node:fs/promises'
import { pipeline, Readable } from 'node:stream'
import { createInflate, inflateSync, type Inflate } from 'node:zlib'
import { InitError } from '../init/init-error.ts'

/** Compressed bytes in a pack: where they begin, and how many they are when inflated. */
export type Place = { from: number; inflated: number }

export const broken = () => new InitError('the server sent a pack that is broken; try again')

/** A file of compressed places. */
export type PackFile = {
  size: number
  /** Bytes of it as they are, fewer at its end. */
  bytes: (position: number, length: number) => Promise<Buffer>
  /** Inflates as many bytes as the place says; what has more or less is broken. `end`: where what comes after begins, once all is read. */
  inflate: (place: Place) => { pieces: AsyncGenerator<Buffer>; end: () => number }
  close: () => Promise<void>
}

/** Read at once. */
const blockBytes = 64 * 1024
/** What is inflated in one go, since a stream takes longer and leaves more behind. */
const shortBytes = 32 * 1024

export async function openPackFile(path: string): Promise<PackFile> {
  const file = await open(path)
  // One buffer for all: what is given out of it is used at once.
  const window = Buffer.alloc(blockBytes)
  let [windowAt, windowEnd] = [0, 0]
  const bytes = async (position: number, length: number) => {
    if (position < windowAt || position + length > windowEnd) {
      const { bytesRead } = await file.read(window, 0, blockBytes, position)
      windowAt = position
      windowEnd = position + bytesRead
    }
    return window.subarray(position - windowAt, Math.min(position + length, windowEnd) - windowAt)
  }
  const { size } = await file.stat()
  return {
    size,
    bytes,
    inflate(place) {
      let end = place.from
      async function* pieces() {
        const { from, inflated } = place
        // Compressed it is hardly ever longer.
        const short = inflated <= shortBytes ? inflateShort(await bytes(from, inflated + 1024), inflated) : undefined
        if (!short) return void (end += yield* inflateLong(file, place))
        end += short.engine.bytesWritten
        yield short.buffer
      }
      return { pieces: pieces(), end: () => end }
    },
    close: () => file.close(),
  }
}

/** Undefined if the compressed bytes go on beyond these. */
function inflateShort(compressed: Buffer, size: number): { buffer: Buffer; engine: Inflate } | undefined {
  try {
    // Node's types do not know what `info` does.
    const inflated = inflateSync(compressed, { info: true, maxOutputLength: Math.max(size, 1), chunkSize: size + 64 }) as unknown
    const short = inflated as { buffer: Buffer; engine: Inflate }
    if (short.buffer.length === size) return short
  } catch (error) {
    if (codeOf(error) === 'Z_BUF_ERROR') return undefined
  }
  throw broken()
}

/** Answers how many compressed bytes it has taken. */
async function* inflateLong(file: FileHandle, { from, inflated }: Place): AsyncGenerator<Buffer, number> {
  const inflate = createInflate()
  // Its end is the end of the compressed bytes, with some of the file left over; what fails is thrown by the loop.
  pipeline(Readable.from(blocksFrom(file, from)), inflate, () => {})
  let seen = 0
  try {
    for await (const piece of inflate as AsyncIterable<Buffer>) {
      seen += piece.length
      if (seen > inflated) throw broken()
      yield piece
    }
  } catch (error) {
    throw codeOf(error).startsWith('Z_') ? broken() : error
  }
  if (seen < inflated) throw broken()
  return inflate.bytesWritten
}

async function* blocksFrom(file: FileHandle, start: number): AsyncGenerator<Buffer> {
  for (let at = start; ;) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(blockBytes), 0, blockBytes, at)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
    at += bytesRead
  }
}

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : '')
