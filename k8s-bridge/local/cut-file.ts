import { fstatSync, ftruncateSync, readSync, writeSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'

/**
 * A file that a process appends to, and of which a part is taken out now and then, so that it stays small. Bytes have the places at which they were
 * written, whatever was taken out before them.
 */
export type CutFile = {
  /** Bytes that were written so far. */
  end(): Promise<number>
  /** The first place from `place` on of which the file has the byte; beyond a cut at least `contextBytes` after it. */
  next(place: number): number
  /** The bytes from there on, up to a cut or the end: `isCut` says which. */
  read(place: number, length: number): Promise<{ bytes: Buffer; isCut: boolean }>
  /** The last bytes of those that have nothing missing between them. */
  last(length: number): Promise<Buffer>
  /** True if the file takes more than so many bytes. */
  isLarger(bytes: number): Promise<boolean>
  /**
   * Takes out what is before `place`, but for some that show whether a secret begins before it; if less than `headBytes` are before it, what is between
   * these and the last `keepBytes`. What is written in the very moment of a cut, some microseconds, may be lost without being counted.
   */
  cut(place: number): void
}

type Options = {
  /** Open for reading and, if it is to be cut, for writing, without appending. The process has it open for appending. */
  file: FileHandle
  headBytes: number
  keepBytes: number
  /** Kept before a place, and not read again. */
  contextBytes: number
  /** Kept at the end, whatever was read of it. */
  endBytes: number
}

/** Where the file was cut: at byte `at` of it stands a line, and after that the byte of place `start`. `kept`: the cut was not finished, and has so many. */
type Cut = { at: number; start: number; kept?: number }

const WIDTH = 16
/** Of one length, whatever it says; for people too, who may open the file. */
const lineOf = ({ start, kept }: Cut) =>
  `[EvalHub: what was before byte ${String(start).padStart(WIDTH, '0')} of this log was taken out of this file ${(kept === undefined ? '' : String(kept)).padStart(WIDTH, '.')}]\n`
const LINE = /^\[EvalHub: what was before byte (\d{16}) of this log was taken out of this file \.*(\d*)\]\n$/
const LINE_BYTES = lineOf({ at: 0, start: 0 }).length
const COPIED_BYTES = 64 * 1024
/** More than a process can write while as many are copied. */
const COPIES_MAX = 1024

export async function openCutFile({ file, headBytes, keepBytes, contextBytes, endBytes }: Options): Promise<CutFile> {
  let cut = (await findCut(file, 0)) ?? (await findCut(file, headBytes))
  /** Where the byte of a place is in the file. Of places that are there. */
  const positionOf = (place: number) => (cut && place >= cut.at ? place - cut.start + cut.at + LINE_BYTES : place)
  const placeAfter = (size: number) => {
    if (!cut) return size
    return cut.start + (cut.kept ?? Math.max(0, size - cut.at - LINE_BYTES))
  }
  const end = async () => placeAfter((await file.stat()).size)
  /** Where the last bytes begin that have nothing missing between them. */
  const first = () => cut?.start ?? 0

  return {
    end,
    next: (place) => (cut && place >= cut.at && place < cut.start + contextBytes ? cut.start + contextBytes : place),
    async read(place, length) {
      const isBefore = cut !== undefined && place < cut.at
      const until = isBefore && cut ? cut.at : await end()
      const wanted = Math.max(0, Math.min(length, until - place))
      const bytes = await readAt(file, positionOf(place), wanted)
      return { bytes, isCut: isBefore && place + bytes.length >= until }
    },
    async last(length) {
      const until = await end()
      const from = Math.max(first(), until - length)
      return readAt(file, positionOf(from), until - from)
    },
    isLarger: async (bytes) => (await file.stat()).size > bytes,
    cut(place) {
      const at = place < headBytes ? headBytes : 0
      const until = placeAfter(fstatSync(file.fd).size)
      const from = Math.max(cut ? cut.start : at, until - keepBytes, Math.min(place - contextBytes, until - endBytes))
      const kept = moveDown(file.fd, positionOf(from), at + LINE_BYTES)
      writeSync(file.fd, lineOf({ at, start: from, kept }), at)
      ftruncateSync(file.fd, at + LINE_BYTES + kept)
      cut = { at, start: from }
      writeSync(file.fd, lineOf(cut), at)
    },
  }
}

/** Moves all from a place to the end of a file to an earlier place, with what is written meanwhile. Answers how many bytes these are. */
function moveDown(fd: number, from: number, to: number): number {
  const buffer = Buffer.allocUnsafe(COPIED_BYTES)
  let moved = 0
  for (let copies = 0; copies < COPIES_MAX; copies++) {
    const count = readSync(fd, buffer, 0, COPIED_BYTES, from + moved)
    if (count === 0) break
    writeSync(fd, buffer, 0, count, to + moved)
    moved += count
  }
  return moved
}

async function findCut(file: FileHandle, at: number): Promise<Cut | undefined> {
  const [, start, kept] = LINE.exec((await readAt(file, at, LINE_BYTES)).toString('latin1')) ?? []
  if (start === undefined || Number(start) < at) return undefined
  const found = { at, start: Number(start) }
  return kept ? { ...found, kept: Number(kept) } : found
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}
