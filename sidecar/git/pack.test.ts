import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test as base } from 'vitest'
import { openPack, type Pack, type PackLimits } from './pack.ts'
import { copies, oidOf, packedBytes, packOf, sizeBytes, type Packed } from './test-pack.ts'
import { readGit, runGit, writePackFile } from './test-server.ts'

const LIMITS: PackLimits = { maxObjects: 10_000, maxObjectBytes: 10_000_000, maxHeldBytes: 1_000_000 }

/** `open(pack)`: of bytes; closed at the end of the test. */
const test = base
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern what a fixture needs
  .extend('folder', async ({}, { onCleanup }) => {
    const folder = await mkdtemp(join(tmpdir(), 'evalhub-pack-'))
    onCleanup(() => rm(folder, { recursive: true }))
    return folder
  })
  .extend('open', async ({ folder }, { onCleanup }) => {
    const packs: Pack[] = []
    onCleanup(async () => {
      await Promise.all(packs.map((pack) => pack.close()))
    })
    return async (bytes: Buffer, limits: Partial<PackLimits> = {}) => {
      await writeFile(join(folder, 'pack'), bytes)
      const pack = await openPack(join(folder, 'pack'), { ...LIMITS, ...limits })
      packs.push(pack)
      return pack
    }
  })

const base64k = Buffer.alloc(65_535, 'abc')
const blob = (content: Buffer | string): Packed => ({ kind: 'blob', content: Buffer.from(content) })

describe('openPack', () => {
  test.for([['--delta-base-offset'], []])('reads all that git has packed, differences too (%j)', async (options, { folder, open }) => {
    const repository = join(folder, 'repository')
    await mkdir(join(repository, 'deep'), { recursive: true })
    await runGit(repository, 'init', '-q', '-b', 'main')
    const lines = Array.from({ length: 3000 }, (_, at) => `line ${(at * 7919) % 9973}`)
    for (let version = 0; version < 8; version++) {
      lines[version * 7] = `changed ${version}`
      await writeFile(join(repository, 'deep', 'a.txt'), lines.join('\n'))
      await writeFile(join(repository, `${version}.txt`), `${version}`)
      await runGit(repository, 'add', '-A')
      await runGit(repository, 'commit', '-q', '-m', `${version}`)
    }
    await writeFile(join(repository, 'zeros'), Buffer.alloc(3_000_000))
    await runGit(repository, 'add', '-A')
    await runGit(repository, 'commit', '-q', '-m', 'zeros')
    await runGit(repository, 'tag', '-a', '-m', 'tag', 'v1')
    const oids = (await runGit(repository, 'rev-list', '--objects', '--all')).split('\n').map((line) => line.slice(0, 40))
    const pack = await open(await writePackFile(repository, oids, options))

    expect(pack.named('').sort()).toEqual(oids.toSorted())
    for (const oid of oids) {
      const kind = await runGit(repository, 'cat-file', '-t', oid)
      const content = await readGit(repository, 'cat-file', kind, oid)
      expect((await buffer(pack.pieces(oid))).equals(content)).toBe(true)
      expect(pack.sizeOf(oid)).toBe(content.length)
      if (content.length < LIMITS.maxHeldBytes) expect(await pack.read(oid)).toEqual({ kind, content })
    }
  })

  test('reads a chain of differences, from its end too', async ({ open }) => {
    const first = Buffer.from('0123456789')
    let content = first
    const objects: Buffer[] = [packedBytes(blob(first))]
    for (let n = 0; n < 300; n++) {
      const delta = Buffer.concat([sizeBytes(content.length), sizeBytes(content.length + 1), Buffer.from([0b1001_0000, content.length]), Buffer.from([1, 65 + (n % 26)])]) // prettier-ignore
      if (content.length === 200) break
      content = Buffer.concat([content, Buffer.from([65 + (n % 26)])])
      objects.push(packedBytes({ content: delta, back: objects.at(-1)!.length }))
    }
    const pack = await open(packOf(objects), { maxHeldBytes: 300 })
    expect((await pack.read(oidOf('blob', content))).content.toString()).toBe(content.toString())
    expect((await pack.read(oidOf('blob', first))).content.toString()).toBe(first.toString())
  })

  test('finds the base of a difference by its name, also where it comes later', async ({ open }) => {
    const pack = await open(packOf([{ content: copies(3, 2), oid: oidOf('blob', Buffer.from('abc')) }, blob('abc')]))
    expect((await pack.read(oidOf('blob', Buffer.from('abcabc')))).content.toString()).toBe('abcabc')
  })
})

// Guarantee: what a pack would need is refused by what it says, before memory is taken for it.
describe('what is refused before it is made', () => {
  const bomb = packedBytes(blob(base64k))
  test.for<[string, Buffer, RegExp]>([
    ['a file that says to be larger than all data may be', packOf([{ ...blob('x'), size: 2 ** 40 }]), /an object of 1099511627776 bytes, and the data may have 10000000/],
    ['a difference that makes much of little', packOf([bomb, { content: copies(65_535, 17), back: bomb.length }]), /an object of 1114095 bytes that must be held in memory, where 1000000 have room/],
    ['a difference that says so and does not', packOf([bomb, { content: copies(65_535, 1, 2 ** 45), back: bomb.length }]), /an object of 35184372088832 bytes that must be held/],
    ['a difference that is large itself', packOf([bomb, { content: Buffer.concat([copies(65_535, 1), Buffer.alloc(1_000_000)]), back: bomb.length }]), /an object of 1000\d{3} bytes that must be held/],
    ['a large base of a difference', packOf([packedBytes(blob(Buffer.alloc(2_000_000))), { content: copies(2, 1), back: packedBytes(blob(Buffer.alloc(2_000_000))).length }]), /an object of 2000000 bytes that must be held/],
    ['more objects than have room', packOf([blob('x')], 10_001), /it sends 10001 objects, and 10000 have room here/],
  ])('%s', async ([, bytes, words], { open }) => {
    const before = process.memoryUsage().arrayBuffers
    await expect(open(bytes)).rejects.toThrow(words)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000)
  }) // prettier-ignore

  test('a directory larger than has room', async ({ open }) => {
    const content = Buffer.alloc(2_000_000)
    const pack = await open(packOf([{ kind: 'tree', content }]))
    await expect(pack.read(oidOf('tree', content))).rejects.toThrow('an object of 2000000 bytes that must be held in memory')
  })
})

describe('a pack that is broken', () => {
  const bomb = packedBytes(blob(base64k))
  const delta = (content: Buffer) => packOf([bomb, { content, back: bomb.length }])
  test.for<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['no pack', Buffer.from('<html>Welcome</html>')],
    ['another version', Buffer.from('PACK\0\0\0\x04\0\0\0\0')],
    ['fewer objects than it says', packOf([blob('a')], 2)],
    ['a cut', packOf([blob(base64k)]).subarray(0, 60)],
    ['more than it says', packOf([{ ...blob('abc'), size: 2 }])],
    ['nothing said, and something there', packOf([{ ...blob('abc'), size: 0 }])],
    ['much more than it says', packOf([{ ...blob(Buffer.alloc(5_000_000)), size: 2_000_000 }])],
    ['a little that is a lot', packOf([{ ...blob(Buffer.alloc(5_000_000)), size: 20 }])],
    ['less than it says', packOf([{ ...blob('abc'), size: 4 }])],
    ['less than it says, of much', packOf([{ ...blob(Buffer.alloc(100_000)), size: 200_000 }])],
    ['bytes that are not compressed', packOf([Buffer.from('\x33abcdefghij')])],
    ['an object of no kind', packOf([Buffer.concat([Buffer.from([0x53]), bomb.subarray(1)])])],
    ['a header without end', packOf([Buffer.alloc(64, 0xff)])],
    ['a difference to itself', packOf([{ content: copies(3, 1), back: 0 }])],
    ['a difference to what is before the first', packOf([{ content: copies(3, 1), back: 500 }])],
    ['a difference to the middle of something', packOf([bomb, { content: copies(65_535, 1), back: bomb.length - 1 }])],
    ['two that are differences to each other’s names', packOf([{ content: copies(3, 1), oid: 'a'.repeat(40) }, { content: copies(3, 1), oid: 'b'.repeat(40) }])],
    ['a difference to a base of another size', delta(copies(65_534, 1))],
    ['a difference that gives less than it says', delta(copies(65_535, 2, 200_000))],
    ['a difference that gives more than it says', delta(copies(65_535, 2, 100_000))],
    ['a difference that copies from behind the base', delta(Buffer.concat([sizeBytes(65_535), sizeBytes(10), Buffer.from([0b1001_0011, 255, 255, 10])]))],
    ['a difference that inserts more than it has', delta(Buffer.concat([sizeBytes(65_535), sizeBytes(100), Buffer.from([100, 1])]))],
    ['a difference with an instruction of no meaning', delta(Buffer.concat([sizeBytes(65_535), sizeBytes(1), Buffer.from([0, 1])]))],
    ['an empty difference', delta(Buffer.alloc(0))],
  ])('has %s', async ([, bytes], { open }) => {
    await expect(open(bytes)).rejects.toThrow('the server sent a pack that is broken; try again')
  }) // prettier-ignore

  test('lacks an object', async ({ open }) => {
    await expect((await open(packOf([]))).read('a'.repeat(40))).rejects.toThrow('lacks an object')
  })
})
