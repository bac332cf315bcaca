import { mkdtemp, open, rm, stat, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createTail, type Piece } from './logs.ts'

let directory = ''
let path = ''
let file: FileHandle
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'evalhub-logs-'))
  path = join(directory, 'jobrun.log')
  file = await open(path, 'ax+')
})
afterEach(async () => {
  await file.close()
  await rm(directory, { recursive: true })
})

function setup({ limitBytes = 50 * 1024 * 1024, secrets = [] as string[], position = { bytes: 0, seq: 0 } } = {}) {
  const pieces: Piece[] = []
  const append = async (piece: Piece) => void pieces.push(piece)
  const tail = createTail({ file, position, limitBytes, secrets: secrets.map((secret) => Buffer.from(secret)), append })
  const kept = () => pieces.map((piece) => gunzipSync(piece.chunk).toString()).join('')
  return { tail, pieces, kept }
}

describe('createTail', () => {
  test('keeps each byte once, in numbered pieces with their time', async () => {
    const { tail, pieces, kept } = setup()

    await file.appendFile('one\n')
    await tail.ship()
    await tail.ship()
    await file.appendFile('two\nthr')
    await tail.ship()
    await file.appendFile('ee\n')
    await tail.finish()

    expect(kept()).toBe('one\ntwo\nthree\n')
    expect(pieces.map(({ seq, bytes }) => [seq, bytes])).toEqual([
      [0, 4],
      [1, 7],
      [2, 3],
    ])
    expect(pieces.every(({ firstAtMs, lastAtMs }) => firstAtMs <= lastAtMs)).toBe(true)
  })

  test('keeps a line of several MiB whole', async () => {
    const { tail, pieces, kept } = setup()
    const line = `${'ä'.repeat(1_500_000)}\n`
    await file.appendFile(line)

    await tail.ship()
    await tail.finish()

    expect(kept()).toBe(line)
    expect(pieces.every(({ bytes }) => bytes <= 1024 * 1024)).toBe(true)
  })

  test('goes on where an earlier one ended', async () => {
    const { tail, pieces, kept } = setup({ position: { bytes: 4, seq: 3 } })
    await file.appendFile('one\ntwo\n')

    await tail.finish()

    expect(kept()).toBe('two\n')
    expect(pieces[0]?.seq).toBe(3)
  })

  test('tries a piece again that could not be kept', async () => {
    let isDown = true
    const kept: string[] = []
    const append = async (piece: Piece) => {
      if (isDown) throw new Error('down')
      kept.push(gunzipSync(piece.chunk).toString())
    }
    const tail = createTail({ file, position: { bytes: 0, seq: 0 }, secrets: [], limitBytes: 1000, append })
    await file.appendFile('one\n')
    await expect(tail.ship()).rejects.toThrow('down')

    isDown = false
    await tail.finish()

    expect(kept).toEqual(['one\n'])
  })

  test('says once that it dropped the rest, and keeps the file small while the process goes on writing', async () => {
    const { tail, kept } = setup({ limitBytes: 1000 })
    for (let at = 0; at < 20; at++) {
      await file.appendFile('x'.repeat(400))
      await tail.ship()
    }
    await file.appendFile('the last line\n')
    await tail.finish()

    expect(kept()).toBe(`${'x'.repeat(1000)}\n[EvalHub keeps 1000 bytes of a log: what came after was dropped]\n`)
    expect((await stat(path)).size).toBeLessThanOrEqual(1400)
    expect(await tail.lastOutput()).toMatch(/xxx.*the last line\n$/)
  })

  // Guarantee: the file is bounded by itself, not by the database that what is in it goes to.
  test('keeps the file small while the database answers nothing, and then keeps its beginning and its end', async () => {
    const answer = Promise.withResolvers<void>()
    const pieces: Piece[] = []
    const append = async (piece: Piece) => {
      await answer.promise
      pieces.push(piece)
    }
    const tail = createTail({ file, position: { bytes: 0, seq: 0 }, secrets: [], limitBytes: 1000, append })
    await file.appendFile('a'.repeat(900))
    const shipped = tail.ship()
    for (let at = 0; at < 20; at++) {
      await file.appendFile(`${at}`.repeat(400))
      await tail.cut()
      expect((await stat(path)).size).toBeLessThanOrEqual(1000)
    }
    await file.appendFile('the last line\n')
    expect(await tail.lastOutput()).toMatch(/^.*1919the last line\n$/)

    answer.resolve()
    await shipped
    await tail.finish()

    const kept = pieces.map((piece) => gunzipSync(piece.chunk).toString()).join('')
    expect(kept).toBe(`${'a'.repeat(900)}${'0'.repeat(100)}\n[EvalHub keeps 1000 bytes of a log: what came after was dropped]\n`)
    expect((await stat(path)).size).toBeLessThanOrEqual(1000)
    expect(await tail.lastOutput()).toMatch(/1919the last line\n$/)
  })

  test.each([
    ['x'.repeat(1000), ['']],
    [`${'x'.repeat(999)}\n`, ['']],
  ])('marks the line that says so as EvalHub’s own', async (text, times) => {
    const { tail, pieces } = setup({ limitBytes: 1000 })
    await file.appendFile(text)
    await tail.finish()
    expect(pieces.map((piece) => piece.times && gunzipSync(piece.times).toString().split('\n').slice(0, -1))).toEqual([undefined, times])
  })

  test.each([1, 5, 10])('stores no secret, even if it is written in two parts (%i bytes first)', async (first) => {
    const { tail, kept } = setup({ secrets: ['sk-12345678'] })
    await file.appendFile(`key=${'sk-12345678'.slice(0, first)}`)
    await tail.ship()
    await file.appendFile(`${'sk-12345678'.slice(first)} is my key\n`)
    await tail.ship()
    await tail.finish()

    expect(kept()).toBe('key=*********** is my key\n')
    expect(await tail.lastOutput()).toBe('key=*********** is my key\n')
  })

  // Guarantee: what is read in parts, by one hub or by two, hides what all of it together would.
  test.each([
    ['aaaaaaaa', 'aaaaaaaaaaa'],
    ['abababab', 'ababababab'],
    ['-abcdefgh abcdefghij', '-abcdefghX'],
  ])('stores no part of %s of a secret that repeats itself or begins in another: %s', async (words, text) => {
    const secrets = words.split(' ')
    for (let cut = 1; cut < text.length; cut++) {
      const first = setup({ secrets })
      await file.truncate(0)
      await file.appendFile(text.slice(0, cut))
      await first.tail.ship()
      const bytes = first.kept().length
      await file.appendFile(text.slice(cut))
      const second = setup({ secrets, position: { bytes, seq: 1 } })
      await second.tail.finish()
      await first.tail.finish()
      const redacted = text.endsWith('X') ? '*********X' : '*'.repeat(text.length)
      expect([cut, first.kept().slice(0, bytes) + second.kept(), first.kept()]).toEqual([cut, redacted, redacted])
    }
  })

  test('keeps what looks like the beginning of a secret, once nothing more comes', async () => {
    const { tail, kept } = setup({ secrets: ['sk-12345678'] })
    await file.appendFile('no risk')
    await tail.ship()
    await tail.finish()

    expect(kept()).toBe('no risk')
  })
})
