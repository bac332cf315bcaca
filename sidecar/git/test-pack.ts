import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'

/** An object as it stands in a pack; `size` is what its header says, if that is not true. `back`: a difference to what began so many bytes before. */
export type Packed = { content: Buffer; size?: number } & (
  { kind: 'commit' | 'tree' | 'blob' | 'tag' } | { back: number } | { oid: string }
)

const KINDS = { commit: 1, tree: 2, blob: 3, tag: 4 }

/** Bytes of one object. */
export function packedBytes(object: Packed): Buffer {
  const { content, size = content.length } = object
  const type = 'kind' in object ? KINDS[object.kind] : 'oid' in object ? 7 : 6
  const head = [(type << 4) | (size % 16)]
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    head[head.length - 1]! |= 128
    head.push(rest % 128)
  }
  const base = 'oid' in object ? Buffer.from(object.oid, 'hex') : 'back' in object ? backBytes(object.back) : Buffer.alloc(0)
  return Buffer.concat([Buffer.from(head), base, deflateSync(content)])
}

function backBytes(back: number): Buffer {
  const bytes = [back % 128]
  for (let rest = Math.floor(back / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift(128 | (--rest % 128))
  return Buffer.from(bytes)
}

/** A pack, with as many objects as it says unless `count` says otherwise. */
export function packOf(objects: readonly (Packed | Buffer)[], count = objects.length): Buffer {
  const head = Buffer.from('PACK\0\0\0\x02\0\0\0\0', 'latin1')
  head.writeUInt32BE(count, 8)
  const bytes = Buffer.concat([head, ...objects.map((object) => (Buffer.isBuffer(object) ? object : packedBytes(object)))])
  return Buffer.concat([bytes, createHash('sha1').update(bytes).digest()])
}

/** A size as it stands in a delta. */
export function sizeBytes(size: number): Buffer {
  const bytes = [size % 128]
  for (let rest = Math.floor(size / 128); rest > 0; rest = Math.floor(rest / 128)) {
    bytes[bytes.length - 1]! |= 128
    bytes.push(rest % 128)
  }
  return Buffer.from(bytes)
}

/** A delta that copies the whole base, which has at most 64 KiB, so many times. */
export const copies = (base: number, times: number, result = base * times): Buffer =>
  Buffer.concat([
    sizeBytes(base),
    sizeBytes(result),
    ...Array.from({ length: times }, () => Buffer.from([0b1011_0000, base & 255, base >> 8])),
  ])

export const oidOf = (kind: string, content: Buffer): string =>
  createHash('sha1').update(`${kind} ${content.length}\0`).update(content).digest('hex')
