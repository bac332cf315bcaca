import type { LogChunk } from '#db/commands/append-log.ts'
import type { LogPosition } from '#db/queries/log-position.ts'

/** A piece of some log. */
export type Piece = Omit<LogChunk, 'evaluationId' | 'benchmarkIndex' | 'attempt' | 'container'>

/** Which pieces of a log are kept: all up to `limitBytes`; of a longer one those of its beginning, and the last, so that these have no more together. */
export type LogBounds = {
  /** True: what begins there is kept only while it is among the last. */
  isBeyondHead(byte: number): boolean
  /** The first byte that is kept of what is beyond the beginning, if the log ends there. */
  tailStart(end: number): number
  /** Keeps the next piece, or the last one again, and takes away what must make room for it. */
  keep(piece: Omit<Piece, 'cut'>): Promise<void>
}

type Options = {
  limitBytes: number
  position: Pick<LogPosition, 'headEnd' | 'tailSeq'>
  /** As `appendLog`. */
  append: (piece: Piece) => Promise<number>
}

/** For the line that says how much is missing. */
const NOTE_BYTES = 256

/** Bytes of a log in which the pieces of its beginning begin. */
export const headBytesOf = (limitBytes: number): number => Math.floor(limitBytes / 2)

export function createLogBounds({ limitBytes, position, append }: Options): LogBounds {
  const headBytes = headBytesOf(limitBytes)
  let { headEnd, tailSeq } = position
  const isBeyondHead = (byte: number) => byte >= headBytes
  const tailStart = (end: number) => {
    const head = Math.max(headEnd, headBytes)
    return end <= limitBytes ? head : Math.max(head, end - (limitBytes - NOTE_BYTES - head))
  }
  return {
    isBeyondHead,
    tailStart,
    async keep(piece) {
      const end = piece.startByte + piece.bytes
      if (isBeyondHead(piece.startByte)) {
        tailSeq = await append({ ...piece, cut: { seq: tailSeq ?? piece.seq, byte: end <= limitBytes ? 0 : tailStart(end) } })
      } else {
        await append(piece)
        headEnd = end
      }
    },
  }
}
