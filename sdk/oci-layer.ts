import { createHash, type Hash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { AdapterFailure, type Artifact } from './adapter.ts'

/** A file that an adapter registered, and what it was then. */
export type RegisteredFile = { name: string; path: string; artifact: Artifact }

/** A layer on the disk. `diffId` is the digest of what is compressed in it. */
export type Layer = { digest: string; diffId: string; bytes: number }

const BLOCK = 512
const LARGEST_PLAIN_BYTES = 8 ** 11 - 1
const PADDING_MAX = 2 * BLOCK

/**
 * Packs one file, as `title`, into a gzipped tar of its own at `packedPath`: the layers of the published Python SDK. The same file gives the
 * same bytes, so that a layer which is pushed again is known. No more than buffers are in memory. Rejects with the reason of an aborted `signal`.
 */
export async function packLayer(
  { name, path, artifact }: RegisteredFile,
  { title, packedPath, signal }: { title: string; packedPath: string; signal: AbortSignal },
): Promise<Layer> {
  const [content, tar, packed] = [createHash('sha256'), createHash('sha256'), createHash('sha256')]
  async function* archive() {
    yield* headersOf(title, artifact.bytes)
    for await (const chunk of createReadStream(path)) {
      content.update(chunk)
      yield chunk
    }
    yield Buffer.alloc(PADDING_MAX + ((BLOCK - (artifact.bytes % BLOCK)) % BLOCK))
  }
  const file = createWriteStream(packedPath, { mode: 0o600 })
  await pipeline(archive, hashedBy(tar), createGzip(), hashedBy(packed), file, { signal }).catch((error: unknown) => {
    signal.throwIfAborted()
    throw error
  })
  if (content.digest('hex') !== artifact.sha256) {
    throw new AdapterFailure(
      'artifact_changed',
      `The artifact ${name} was written to after it was registered: register a file once it is whole.`,
    )
  }
  const { size } = await stat(packedPath)
  return { digest: `sha256:${packed.digest('hex')}`, diffId: `sha256:${tar.digest('hex')}`, bytes: size }
}

const hashedBy = (hash: Hash) =>
  async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      hash.update(chunk)
      yield chunk
    }
  }

/** POSIX pax: a name or a size that does not fit into the header stands in a record before it. */
function* headersOf(title: string, bytes: number): Generator<Buffer> {
  const isPlain = /^[\x20-\x7e]{1,100}$/.test(title) && bytes <= LARGEST_PLAIN_BYTES
  if (!isPlain) {
    const records = Buffer.from(paxRecord('path', title) + paxRecord('size', String(bytes)))
    yield header('pax', records.length, 'x')
    yield Buffer.concat([records, Buffer.alloc((BLOCK - (records.length % BLOCK)) % BLOCK)])
  }
  yield header(isPlain ? title : 'artifact', Math.min(bytes, LARGEST_PLAIN_BYTES), '0')
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  const length = Buffer.byteLength(rest)
  const withOwn = length + String(length + String(length).length).length
  return `${withOwn}${rest}`
}

function header(name: string, bytes: number, type: '0' | 'x'): Buffer {
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, at: number, digits: number) => block.write(value.toString(8).padStart(digits, '0'), at)
  block.write(name, 0)
  octal(0o644, 100, 7)
  octal(0, 108, 7) // owner and group
  octal(0, 116, 7)
  octal(bytes, 124, 11)
  octal(0, 136, 11) // time: the same file is the same layer
  block.write(`        ${type}`, 148)
  block.write('ustar\x0000', 257)
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  )
  block.write('\x00 ', 154)
  return block
}
