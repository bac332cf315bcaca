import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { LogEnd } from '#db/queries/log-end.ts'
import type { Hidden } from '../redact.ts'
import type { Piece } from '../log-bounds.ts'
import { timeOf } from './log-lines.ts'
import { createLogWriter } from './log-writer.ts'

/** What the cluster tells of a pod or its Job, at its last occurrence. */
export type PodEvent = { reason: string; message: string; lastAtMs: number }

export type EventLog = {
  /** Keeps those that are not kept yet, in the order of their times. */
  add(events: readonly PodEvent[]): Promise<void>
}

type Options = {
  /** All that is kept. */
  end: LogEnd
  secrets: Hidden
  limitBytes: number
  append: (piece: Piece) => Promise<number>
  nowMs: () => number
}

const decompress = promisify(gunzip)

/** Lines such as `2026-11-25T18:00:01Z FailedScheduling: 0/3 nodes are available`. The time in it makes each occurrence one line. */
export async function createEventLog({ end, ...options }: Options): Promise<EventLog> {
  const texts = await Promise.all(end.pieces.map(({ chunk }) => decompress(chunk)))
  const kept = new Set(Buffer.concat(texts).toString().split('\n'))
  // Of a log that has lost its middle, lines that are not kept may have been.
  const stamps = end.isCut ? [...kept].filter((line) => /^\d{4}-/.test(line)).map(stampOf) : []
  const lost = stamps.reduce((one, other) => (one > other ? one : other), '')
  const writer = createLogWriter({ ...options, position: end })
  return {
    async add(events) {
      for (const { lastAtMs, reason, message } of events.toSorted((one, other) => one.lastAtMs - other.lastAtMs)) {
        const line = `${new Date(lastAtMs).toISOString().slice(0, 19)}Z ${reason}: ${message.replace(/\s+/g, ' ').trim()}`
        if (kept.has(line) || stampOf(line) <= lost) continue
        kept.add(line)
        writer.write({ time: timeOf(lastAtMs), text: Buffer.from(line), isStart: true, isEnd: true })
      }
      await writer.flush()
    },
  }
}

const stampOf = (line: string) => line.slice(0, '2026-11-25T18:00:01Z'.length)
