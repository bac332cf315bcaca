import { createHash } from 'node:crypto'
import { readDelta } from './delta.ts'
import { broken, openPackFile, type PackFile } from './inflate.ts'
import { holdObjects, type HeldObjects, type Kind, type PackEntry } from './objects.ts'
import { InitError } from '../init/init-error.ts'

/** What a pack may ask of memory and time. */
export type PackLimits = {
  maxObjects: number
  /** Of any object: more could not be put in its place. */
  maxObjectBytes: number
  /** Of an object that must be held whole: a directory, a difference, and what it is one to. */
  maxHeldBytes: number
}

/** Objects by their names. Each is as large as was said before it was inflated, and is what its name says. */
export type Pack = {
  has: (oid: string) => boolean
  /** Names that begin so. */
  named: (prefix: string) => string[]
  sizeOf: (oid: string) => number
  read: (oid: string) => Promise<{ kind: Kind; content: Buffer }>
  /** A file in pieces, however large it is. */
  pieces: (oid: string) => AsyncIterable<Uint8Array>
  close: () => Promise<void>
}

/** Reads a pack once, from its beginning to its end. Source: gitformat-pack(5). */
export async function openPack(path: string, limits: PackLimits): Promise<Pack> {
  const file = await openPackFile(path)
  const held = holdObjects(file, limits.maxHeldBytes)
  const entries = await readEntries({ file, held, limits }).catch(async (error: unknown) => {
    await file.close()
    throw error
  })
  const find = (oid: string): PackEntry => {
    const entry = entries.get(oid)
    if (!entry) throw new InitError('the repository lacks an object that it refers to')
    return entry
  }
  return {
    has: (oid) => entries.has(oid),
    named: (prefix) => [...entries.keys()].filter((oid) => oid.startsWith(prefix)),
    sizeOf: (oid) => find(oid).size,
    read: async (oid) => ({ kind: find(oid).kind, content: await held.contentOf(find(oid)) }),
    async *pieces(oid) {
      const entry = find(oid)
      if (entry.base) yield await held.contentOf(entry)
      else yield* file.inflate(entry).pieces
    },
    close: file.close,
  }
}

type Source = { file: PackFile; held: HeldObjects; limits: PackLimits }

/** A difference whose base is not known yet: where that is, or its name. */
type Waiting = { at: number; from: number; inflated: number; base: number | string }

/** Bases come before what is told by them, mostly; by name also after it, which takes another look at those that wait. */
const LOOKS = 50

const CHECKSUM_BYTES = 20

async function readEntries(source: Source): Promise<Map<string, PackEntry>> {
  const count = await readCount(source)
  const byName = new Map<string, PackEntry>()
  const byPlace = new Map<number, PackEntry>()
  let waiting: Waiting[] = []
  const add = ({ oid, entry }: { oid: string; entry: PackEntry }) => {
    byName.set(oid, entry)
    byPlace.set(entry.at, entry)
  }
  const resolve = async (delta: Waiting) => {
    const base = typeof delta.base === 'string' ? byName.get(delta.base) : byPlace.get(delta.base)
    if (!base) return false
    add(await resolved(source.held, delta, base))
    return true
  }
  const { maxObjectBytes } = source.limits
  let at = 12
  for (let left = count; left > 0; left--) {
    if (at + CHECKSUM_BYTES >= source.file.size) throw broken()
    const header = headerOf(await source.file.bytes(at, 48), at)
    if (header.inflated > maxObjectBytes)
      throw new InitError(`it has an object of ${header.inflated} bytes, and the data may have ${maxObjectBytes}`)
    const inflating = source.file.inflate(header)
    if (header.base === undefined) add(await named({ ...header, size: header.inflated }, inflating.pieces))
    else {
      for await (const _ of inflating.pieces);
      if (!(await resolve(header))) waiting.push(header)
    }
    at = inflating.end()
  }
  for (let looks = 0; waiting.length > 0 && looks < LOOKS; looks++) {
    const still: Waiting[] = []
    for (const delta of waiting) if (!(await resolve(delta))) still.push(delta)
    waiting = still
  }
  if (waiting.length > 0) throw broken()
  return byName
}

async function readCount({ file, limits: { maxObjects } }: Source): Promise<number> {
  const head = await file.bytes(0, 12)
  if (head.length < 12 || head.toString('latin1', 0, 4) !== 'PACK' || head.readUInt32BE(4) !== 2) throw broken()
  const count = head.readUInt32BE(8)
  if (count <= maxObjects) return count
  throw new InitError(
    `it sends ${count} objects, and ${maxObjects} have room here; keep such data in S3, or ask the operator for more memory`,
  )
}

const KINDS: Record<number, Kind> = { 1: 'commit', 2: 'tree', 3: 'blob', 4: 'tag' }
const [BY_PLACE, BY_NAME] = [6, 7]

type Header = { at: number; from: number; inflated: number } & ({ kind: Kind; base?: undefined } | { base: number | string })

/** What stands before the compressed bytes of an object: its kind, its size when inflated, and of a difference what it is to. */
function headerOf(bytes: Buffer, at: number): Header {
  let next = 0
  const byte = () => {
    const value = bytes[next++]
    if (value === undefined || next > 16) throw broken()
    return value
  }
  let last = byte()
  const type = (last >> 4) & 7
  let inflated = last & 15
  for (let unit = 16; last & 128; unit *= 128) {
    last = byte()
    inflated += (last & 127) * unit
  }
  const kind = KINDS[type]
  if (kind) return { at, from: at + next, inflated, kind }
  if (type === BY_NAME) return { at, from: at + next + 20, inflated, base: bytes.toString('hex', next, next + 20) }
  if (type !== BY_PLACE) throw broken()
  last = byte()
  let back = last & 127
  while (last & 128) {
    last = byte()
    back = (back + 1) * 128 + (last & 127)
  }
  if (back <= 0) throw broken()
  return { at, from: at + next, inflated, base: at - back }
}

async function resolved(held: HeldObjects, { at, from, inflated }: Waiting, base: PackEntry) {
  const delta = await held.inflate({ from, inflated })
  const size = readDelta(delta)?.result
  if (size === undefined) throw broken()
  const entry: PackEntry = { at, from, inflated, size, kind: base.kind, base }
  return named(entry, [await held.contentOf(entry)])
}

/** An object is named by its kind, size and content. */
async function named(
  entry: PackEntry,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<{ oid: string; entry: PackEntry }> {
  const hash = createHash('sha1').update(`${entry.kind} ${entry.size}\0`)
  for await (const piece of pieces) hash.update(piece)
  return { oid: hash.digest('hex'), entry }
}
