import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { LogPosition } from '#db/queries/log-position.ts'
import { createLogBounds, type Piece } from '../log-bounds.ts'
import { contextBytes, redact, type Hidden } from '../redact.ts'
import type { LinePart } from './log-lines.ts'

/** Lines on their way into the database. */
export type LogWriter = {
  /** `before` is what came before a part of a line that an earlier writer has begun. */
  write(part: LinePart, before?: Buffer): void
  /** A line of the bridge's own. It is of the time of the line before it. */
  note(words: string): void
  /** Stores what was written so far. If it throws, the next call tries the same again. */
  flush(): Promise<void>
  pendingBytes(): number
  /** True once the first half of the limit is reached: of what comes now only the last is kept. */
  isBeyondHead(): boolean
}

type Options = {
  position: LogPosition
  /** Values that are stored as asterisks. */
  secrets: Hidden
  /** Of which the log's beginning has the first half, and its end the rest: what comes between them is taken away again. */
  limitBytes: number
  append: (piece: Piece) => Promise<number>
  /** The time of a note before any line. */
  nowMs: () => number
}

type Batch = { texts: Buffer[]; times: string[]; bytes: number; startByte: number; firstAtMs: number; lastAtMs: number }

const compress = promisify(gzip)

/** What every line of the bridge's own begins with. */
export const notePrefix = '[EvalHub: '

const ALL_HIDDEN = 'the Secrets of this run hold more than can be looked for in a log: each byte is stored as an asterisk'

export function createLogWriter({ position, secrets, limitBytes, append, nowMs }: Options): LogWriter {
  let { bytes, seq } = position
  const bounds = createLogBounds({ limitBytes, position, append })
  let pending = emptyBatch(bytes)
  /** Taken out of `pending`, and not stored yet. */
  let batch: Batch | undefined
  let underWay: Promise<void> = Promise.resolve()
  let lastAtMs: number | undefined
  /** The end of an unfinished line: what was written of it, and from `heldFrom` on that with which a secret may begin. */
  let held: Buffer = Buffer.alloc(0)
  let heldFrom = 0
  let isLineOpen = false

  const add = (text: Buffer, time?: string) => {
    if (time !== undefined) pending.times.push(time)
    pending.texts.push(text)
    pending.bytes += text.length
    bytes += text.length
    const atMs = (lastAtMs ??= nowMs())
    pending.firstAtMs = Math.min(pending.firstAtMs, atMs)
    pending.lastAtMs = Math.max(pending.lastAtMs, atMs)
  }
  const note = (words: string) => {
    add(Buffer.from(`${isLineOpen ? '\n' : ''}${notePrefix}${words}]\n`), '')
    isLineOpen = false
  }
  const store = async () => {
    while (batch ?? pending.texts.length > 0) {
      batch ??= pending
      if (batch === pending) pending = emptyBatch(bytes)
      const text = Buffer.concat(batch.texts)
      const [chunk, times] = await Promise.all([compress(text), compress(batch.times.map((time) => `${time}\n`).join(''))])
      const { startByte, firstAtMs, lastAtMs: untilMs } = batch
      const piece = { seq, chunk, times, bytes: text.length, startByte, firstAtMs, lastAtMs: untilMs }
      await bounds.keep(piece)
      batch = undefined
      seq++
    }
  }

  return {
    note,
    write({ time, text, isStart, isEnd }, before) {
      lastAtMs = Date.parse(time)
      if (secrets === 'everything' && bytes === 0) note(ALL_HIDDEN)
      if (held.length === 0 && before) [held, heldFrom] = [before, before.length]
      const whole = held.length > 0 ? Buffer.concat([held, text]) : text
      const clean = redact(whole, secrets, { from: heldFrom, isEnd })
      const known = heldFrom + clean.length
      heldFrom = isEnd ? 0 : Math.min(known, contextBytes)
      held = isEnd ? Buffer.alloc(0) : Buffer.from(whole.subarray(known - heldFrom))
      add(isEnd ? Buffer.concat([clean, Buffer.from('\n')]) : clean, isStart ? time : undefined)
      isLineOpen = !isEnd
    },
    flush() {
      // One after the other: both may find the same batch.
      underWay = underWay.catch(() => undefined).then(store)
      return underWay
    },
    pendingBytes: () => pending.bytes + (batch?.bytes ?? 0),
    isBeyondHead: () => bounds.isBeyondHead(bytes),
  }
}

const emptyBatch = (startByte: number): Batch => ({
  texts: [],
  times: [],
  bytes: 0,
  startByte,
  firstAtMs: Number.POSITIVE_INFINITY,
  lastAtMs: 0,
})
