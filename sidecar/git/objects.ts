import { applyDelta, readDelta } from './delta.ts'
import { broken, type PackFile, type Place } from './inflate.ts'
import { InitError } from '../init/init-error.ts'

export type Kind = 'commit' | 'tree' | 'blob' | 'tag'

/** An object of a pack. `at`: where its entry begins. `size`: of the object. `base`: what it is a difference to, if it is one. */
export type PackEntry = Place & { at: number; size: number; kind: Kind; base?: PackEntry | undefined }

/** Objects that are held whole: one at a time, what it is a difference to, and as much again of those that were asked for last. */
export type HeldObjects = {
  inflate: (place: Place) => Promise<Buffer>
  contentOf: (entry: PackEntry) => Promise<Buffer>
}

/** Refuses what is larger than `maxBytes` before it takes memory for it. */
export function holdObjects(file: PackFile, maxBytes: number): HeldObjects {
  const kept = new Map<number, Buffer>()
  let keptBytes = 0
  const judge = (bytes: number) => {
    if (bytes <= maxBytes) return
    throw new InitError(
      `it has an object of ${bytes} bytes that must be held in memory, where ${maxBytes} have room; keep large data in S3, or ask the operator for more memory`,
    )
  }
  const keep = (at: number, content: Buffer) => {
    if (kept.delete(at)) keptBytes -= content.length
    kept.set(at, content)
    keptBytes += content.length
    for (const [oldest, { length }] of kept) {
      if (keptBytes <= maxBytes) return
      kept.delete(oldest)
      keptBytes -= length
    }
  }
  const inflate = async (place: Place) => {
    judge(place.inflated)
    const whole = Buffer.allocUnsafeSlow(place.inflated)
    let filled = 0
    for await (const piece of file.inflate(place).pieces) filled += piece.copy(whole, filled)
    return whole
  }
  return {
    inflate,
    async contentOf(entry) {
      judge(entry.size)
      const deltas: PackEntry[] = []
      let next = entry
      for (; next.base && !kept.has(next.at); next = next.base) deltas.push(next)
      let content = kept.get(next.at) ?? (await inflate(next))
      keep(next.at, content)
      for (const delta of deltas.toReversed()) {
        const instructions = await inflate(delta)
        if (readDelta(instructions)?.result !== delta.size) throw broken()
        const result = applyDelta(content, instructions)
        if (!result) throw broken()
        content = result
        keep(delta.at, content)
      }
      return content
    },
  }
}
