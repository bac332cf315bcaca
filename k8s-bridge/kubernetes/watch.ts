import { ApiFailure } from './api-stream.ts'
import { limitIdle } from './idle-limit.ts'
import type { ListSource } from './list.ts'

type WatchOptions = ListSource & {
  /** Where to go on: of a list, or the last that was seen. */
  version: string
  /** The server ends the watch after so long. */
  timeoutSeconds: number
  signal: AbortSignal
}

export type Change<Raw> = { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: Raw }

export type WatchEnd =
  /** The server ended it in order. */
  | { why: 'ended' }
  /** The connection broke; nothing came for too long; the server would not or could not go on; the version is forgotten. */
  | { why: 'broken' | 'silent' | 'refused' | 'expired'; error: unknown }

type Versioned = { metadata: { resourceVersion: string } }
type Status = { code?: number; message?: string; details?: { retryAfterSeconds?: number } }
type Line<Raw> = { type: Change<Raw>['type']; object: Raw } | { type: 'BOOKMARK'; object: Versioned } | { type: 'ERROR'; object: Status }

/** A single object is never so long: etcd refuses it. */
const lineMax = 16 * 1024 * 1024

/**
 * Watches until something ends it, which is told and never thrown. `onChanges` gets what came together, in order (nothing, if it was only a
 * bookmark), and the version from which the next watch goes on.
 */
export async function watchFrom<Raw extends Versioned>(
  options: WatchOptions,
  onChanges: (changes: Change<Raw>[], version: string) => void,
): Promise<WatchEnd> {
  const { open, path, selectors, version, timeoutSeconds, silentMs, signal } = options
  const watch = { watch: 'true', allowWatchBookmarks: 'true', resourceVersion: version, timeoutSeconds: String(timeoutSeconds) }
  const limit = limitIdle(signal, silentMs)
  try {
    for await (const lines of linesOf(
      await open(`${path}?${new URLSearchParams({ ...selectors, ...watch })}`, limit.signal),
      limit.touch,
    )) {
      takeIn(lines, onChanges)
    }
    return { why: 'ended' }
  } catch (error) {
    if (limit.isOver()) return { why: 'silent', error: new Error(`Nothing came from the watch of ${path} for ${silentMs} ms.`) }
    if (!(error instanceof ApiFailure)) return { why: 'broken', error }
    return { why: error.status === 410 ? 'expired' : 'refused', error }
  } finally {
    limit.end()
  }
}

/** What was read before an error counts. */
function takeIn<Raw extends Versioned>(lines: readonly string[], onChanges: (changes: Change<Raw>[], version: string) => void): void {
  const changes: Change<Raw>[] = []
  let version: string | undefined
  let failure: ApiFailure | undefined
  for (const text of lines) {
    // The server answers in its own schema.
    const line = JSON.parse(text) as Line<Raw>
    if (line.type === 'ERROR') {
      const { code = 500, message = 'unknown error', details } = line.object
      failure = new ApiFailure(code, `The watch was ended with ${code}: ${message}`, details?.retryAfterSeconds)
      break
    }
    version = line.object.metadata.resourceVersion
    if (line.type !== 'BOOKMARK') changes.push(line)
  }
  if (version !== undefined) onChanges(changes, version)
  if (failure) throw failure
}

/** The whole lines of each piece that comes. */
async function* linesOf(body: AsyncIterable<Buffer>, onPiece: () => void): AsyncGenerator<string[]> {
  let begun: Buffer[] = []
  let begunBytes = 0
  for await (const piece of body) {
    onPiece()
    const end = piece.lastIndexOf(0x0a)
    if (end === -1) {
      begun.push(piece)
      begunBytes += piece.length
      if (begunBytes > lineMax) throw new Error(`A watch sent a line of more than ${lineMax} bytes.`)
      continue
    }
    const whole = Buffer.concat([...begun, piece.subarray(0, end)]).toString()
    begun = [piece.subarray(end + 1)]
    begunBytes = begun[0]?.length ?? 0
    yield whole.split('\n').filter((line) => line !== '')
  }
}
