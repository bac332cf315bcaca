/** A line of a container's log, or a part of one that is too long to be held. */
export type LinePart = {
  /** Of the line: see `normalTime`. */
  time: string
  text: Buffer
  isStart: boolean
  isEnd: boolean
}

/** What the node says in place of a log: it has none, or not any more. */
export class NoLogError extends Error {
  override readonly name = 'NoLogError'
}

const partBytes = 64 * 1024
const newline = 10

/**
 * The lines of an answer of the log API that was asked for timestamps.
 *
 * An answer that ends within a line was cut: that part is left out, and comes again whole. With `isWhole` nothing more will come, so it is a line.
 */
export async function* readLines(answer: AsyncIterable<Buffer>, { isWhole }: { isWhole: boolean }): AsyncGenerator<LinePart> {
  let rest: Buffer = Buffer.alloc(0)
  /** Of the line that a part has been given of. */
  let time: string | undefined

  const part = (text: Buffer, isEnd: boolean): LinePart => {
    if (time !== undefined) return { time, text, isStart: false, isEnd }
    const stamp = stampOf(text)
    if (!isEnd) time = stamp.time
    return { time: stamp.time, text: text.subarray(stamp.length), isStart: true, isEnd }
  }

  for await (const chunk of answer) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let from = 0
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline, from)) {
      yield part(rest.subarray(from, end), true)
      time = undefined
      from = end + 1
    }
    rest = rest.subarray(from)
    if (rest.length > partBytes) {
      yield part(rest, false)
      rest = Buffer.alloc(0)
    }
  }
  if (isWhole && (rest.length > 0 || time !== undefined)) yield part(rest, true)
}

/** No stamp is longer: date, nine digits, an offset. */
const stampBytes = 40

function stampOf(line: Buffer): { time: string; length: number } {
  const space = line.subarray(0, stampBytes).indexOf(' ')
  // The stamp of an empty line may have no space after it.
  const stamp = line.subarray(0, space < 0 ? stampBytes : space).toString('latin1')
  const time = normalTime(stamp)
  if (time === undefined) throw new NoLogError(line.subarray(0, 300).toString().trim())
  return { time, length: space < 0 ? stamp.length : space + 1 }
}

const RFC3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/

/** RFC 3339 in UTC with nine digits, so that the order of such texts is that of the times; undefined for what is no such time. */
export function normalTime(text: string): string | undefined {
  const [, seconds, fraction = '', zone] = RFC3339.exec(text) ?? []
  if (seconds === undefined || zone === undefined) return undefined
  const ms = Date.parse(`${seconds}${zone}`)
  if (Number.isNaN(ms)) return undefined
  return `${new Date(ms).toISOString().slice(0, 19)}.${fraction.padEnd(9, '0')}Z`
}

/** The same for milliseconds since 1970. */
export const timeOf = (ms: number): string => new Date(ms).toISOString().replace('Z', '000000Z')
