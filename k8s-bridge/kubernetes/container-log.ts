import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { LogEnd } from '#db/queries/log-end.ts'
import { readLines, type LinePart } from './log-lines.ts'
import { contextBytes, type Hidden } from '../redact.ts'
import type { Piece } from '../log-bounds.ts'
import { createLogOverlap } from './log-overlap.ts'
import { createLogWriter, notePrefix } from './log-writer.ts'
import type { Pace } from './pace.ts'

/** Asks the API server for a path with its query; throws what has the answer's `status` if that is not 200. */
export type OpenLog = (path: string, signal: AbortSignal) => Promise<AsyncIterable<Buffer>>

/** The log of one container, which is kept once, whole and in order, however often its reading is cut. */
export type ContainerLog = {
  /**
   * Reads what is new, to the end of the answer: with `follow` that is the end of the container, a cut, or `signal`. With `pace` no faster than that
   * allows, once the beginning of a long log is kept.
   */
  read(how: { follow: boolean; signal: AbortSignal; pace?: Pace }): Promise<void>
  flush(): Promise<void>
  /** Says in the log that its end is missing, unless it says so already. */
  noteMissingEnd(why: string): void
  /** True if a reading came to the log's end and not to a cut, and nothing has come since. */
  isAtEnd(): boolean
}

export type ContainerLogOptions = {
  open: OpenLog
  namespace: string
  pod: string
  container: string
  /** What an earlier bridge has kept. */
  end: LogEnd
  secrets: Hidden
  limitBytes: number
  append: (piece: Piece) => Promise<number>
  nowMs: () => number
}

/** A piece has more by a part of a line at most. */
const pieceBytesMax = 256 * 1024
/** Whose pace keeps it as far behind asks again: a node that has no more of what is next says so only then. */
const lagMsMax = 10_000
const missingEnd = 'the end of this log is missing'
const decompress = promisify(gunzip)

export async function openContainerLog({ open, namespace, pod, container, end, ...options }: ContainerLogOptions): Promise<ContainerLog> {
  const kept = await readEnd(end)
  const pieceBytes = Math.min(pieceBytesMax, options.limitBytes / 8)
  const overlap = createLogOverlap(kept.times, { begun: kept.open?.time, isCut: end.isCut })
  const writer = createLogWriter({ ...options, position: end })
  let isEndMissing = kept.lastNote.startsWith(`${notePrefix}${missingEnd}`)
  let isAtEnd = false
  /** The line of which a beginning is kept, and how much of it. */
  let { open: unfinished } = kept

  /** Of a line that comes again, the part that is not kept yet. */
  const remainder = (part: LinePart, consumed: number): LinePart | undefined => {
    if (unfinished?.time !== part.time) return part
    const skip = Math.max(0, unfinished.bytes - consumed)
    if (skip > part.text.length || (skip === part.text.length && !part.isEnd)) return undefined
    return { ...part, text: part.text.subarray(skip), isStart: false }
  }

  /** True if it has taken all of them. */
  const take = async (parts: AsyncIterable<LinePart>, wait: ((bytes: number) => Promise<void>) | undefined): Promise<boolean> => {
    let isSkipped = false
    /** Bytes of the line that came before this part, and the last of them. */
    let consumed = 0
    let before: Buffer = Buffer.alloc(0)
    for await (const part of parts) {
      if (part.isStart) {
        consumed = 0
        before = Buffer.alloc(0)
        const verdict = overlap.judge(part.time)
        isSkipped = verdict === 'kept'
        if (unfinished?.time === part.time) overlap.meet()
        else if (verdict === 'after_gap') writer.note('lines are missing here: the node had them no more')
      }
      if (!isSkipped) {
        const rest = remainder(part, consumed)
        const skipped = part.text.length - (rest?.text.length ?? 0)
        if (rest) writer.write(rest, Buffer.concat([before, part.text.subarray(0, skipped)]).subarray(-contextBytes))
        before = Buffer.concat([before, part.text.subarray(-contextBytes)]).subarray(-contextBytes)
        consumed += part.text.length
        unfinished = part.isEnd ? undefined : { time: part.time, bytes: Math.max(consumed, unfinished?.bytes ?? 0) }
        if (part.isEnd) overlap.add(part.time)
        isEndMissing = false
        isAtEnd = false
      }
      const bytes = writer.pendingBytes()
      if (bytes <= pieceBytes) continue
      await writer.flush()
      if (!wait || !writer.isBeyondHead()) continue
      await wait(bytes)
      if (options.nowMs() - Date.parse(part.time) > lagMsMax) return false
    }
    return true
  }

  return {
    async read({ follow, signal, pace }) {
      overlap.begin()
      const since = overlap.sinceTime()
      const query = new URLSearchParams({
        container,
        timestamps: 'true',
        ...(follow && { follow: 'true' }),
        ...(since && { sinceTime: since }),
      })
      const answer = await open(`/api/v1/namespaces/${namespace}/pods/${pod}/log?${query}`, signal)
      isAtEnd = await take(readLines(answer, { isWhole: !follow }), pace && ((bytes) => pace(bytes, signal)))
    },
    flush: () => writer.flush(),
    noteMissingEnd(why) {
      if (!isEndMissing) writer.note(`${missingEnd}: ${why}`)
      isEndMissing = true
    },
    isAtEnd: () => isAtEnd,
  }
}

type KeptEnd = {
  /** Of lines of the container, not of the bridge's own. */
  times: string[]
  /** What the bridge itself has said last, if nothing came after it. */
  lastNote: string
  open: { time: string; bytes: number } | undefined
}

async function readEnd({ pieces }: LogEnd): Promise<KeptEnd> {
  const [texts, times] = await Promise.all([
    Promise.all(pieces.map(({ chunk }) => decompress(chunk))),
    Promise.all(pieces.map(async (piece) => (piece.times ? (await decompress(piece.times)).toString().split('\n').slice(0, -1) : []))),
  ])
  const text = Buffer.concat(texts)
  const known = times.flat().filter((time) => time !== '')
  const isNote = times.flat().at(-1) === ''
  const begun = text.length - 1 - text.lastIndexOf('\n')
  const last = begun > 0 ? known.pop() : undefined
  const lastLine =
    text
      .subarray(0, text.length - begun)
      .toString()
      .trimEnd()
      .split('\n')
      .at(-1) ?? ''
  return { times: known, lastNote: isNote ? lastLine : '', open: last === undefined ? undefined : { time: last, bytes: begun } }
}
