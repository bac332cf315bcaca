import { mkdtemp, open, readFile, rm, stat, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NOTHING_KEPT, type LogPosition } from '#db/queries/log-position.ts'
import type { Piece } from '../log-bounds.ts'
import { openTail } from './logs.ts'

let directory = ''
let path = ''
/** As the process has it, and as the hub has it. */
let output: FileHandle
let file: FileHandle
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'evalhub-logs-'))
  path = join(directory, 'jobrun.log')
  output = await open(path, 'ax')
  file = await open(path, 'r+')
})
afterEach(async () => {
  await output.close()
  await file.close()
  await rm(directory, { recursive: true })
})

const textOf = ({ chunk }: Piece) => gunzipSync(chunk).toString()

/** What is in the database, as `appendLog` keeps it, and what a hub that starts finds of it. */
function createStore() {
  const pieces: Piece[] = []
  const kept = () => pieces.filter((piece) => piece !== undefined)
  const append = async (piece: Piece): Promise<number> => {
    pieces[piece.seq] = piece
    const { seq, byte } = piece.cut ?? { seq: piece.seq, byte: 0 }
    const first = kept().find((each) => each.seq >= seq && each.startByte >= byte)?.seq ?? piece.seq
    for (let at = seq; at < Math.min(first, piece.seq); at++) delete pieces[at]
    return first
  }
  const position = (headBytes: number): LogPosition => {
    const { startByte = 0, bytes = 0 } = pieces.at(-1) ?? {}
    const head = kept().findLast((piece) => piece.startByte < headBytes)
    const tailSeq = kept().find((piece) => piece.startByte >= headBytes)?.seq ?? null
    return { bytes: startByte + bytes, seq: pieces.length, headEnd: head ? head.startByte + head.bytes : 0, tailSeq }
  }
  return { kept, append, position, text: () => kept().map(textOf).join('') }
}

async function setup({ limitBytes = 50 * 1024 * 1024, secrets = [] as string[], position = NOTHING_KEPT } = {}) {
  const pieces: Piece[] = []
  const append = async (piece: Piece) => pieces.push(piece)
  const tail = await openTail({ file, position, limitBytes, secrets: secrets.map((secret) => Buffer.from(secret)), append })
  const kept = () => pieces.map(textOf).join('')
  return { tail, pieces, kept }
}

describe('openTail', () => {
  test('keeps each byte once, in numbered pieces with their time', async () => {
    const { tail, pieces, kept } = await setup()

    await output.appendFile('one\n')
    await tail.ship()
    await tail.ship()
    await output.appendFile('two\nthr')
    await tail.ship()
    await output.appendFile('ee\n')
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
    const { tail, pieces, kept } = await setup()
    const line = `${'ä'.repeat(1_500_000)}\n`
    await output.appendFile(line)

    await tail.ship()
    await tail.finish()

    expect(kept()).toBe(line)
    expect(pieces.every(({ bytes }) => bytes <= 1024 * 1024)).toBe(true)
  })

  test('goes on where an earlier one ended', async () => {
    const { tail, pieces, kept } = await setup({ position: { ...NOTHING_KEPT, bytes: 4, seq: 3 } })
    await output.appendFile('one\ntwo\n')

    await tail.finish()

    expect(kept()).toBe('two\n')
    expect(pieces[0]?.seq).toBe(3)
  })

  test('tries a piece again that could not be kept', async () => {
    let isDown = true
    const kept: string[] = []
    const append = async (piece: Piece) => {
      if (isDown) throw new Error('down')
      return kept.push(gunzipSync(piece.chunk).toString())
    }
    const tail = await openTail({ file, position: NOTHING_KEPT, secrets: [], limitBytes: 1000, append })
    await output.appendFile('one\n')
    await expect(tail.ship()).rejects.toThrow('down')

    isDown = false
    await tail.finish()

    expect(kept).toEqual(['one\n'])
  })

  test.each([1, 5, 10])('stores no secret, even if it is written in two parts (%i bytes first)', async (first) => {
    const { tail, kept } = await setup({ secrets: ['sk-12345678'] })
    await output.appendFile(`key=${'sk-12345678'.slice(0, first)}`)
    await tail.ship()
    await output.appendFile(`${'sk-12345678'.slice(first)} is my key\n`)
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
      const first = await setup({ secrets })
      await file.truncate(0)
      await output.appendFile(text.slice(0, cut))
      await first.tail.ship()
      const bytes = first.kept().length
      await output.appendFile(text.slice(cut))
      const second = await setup({ secrets, position: { ...NOTHING_KEPT, bytes, seq: 1 } })
      await second.tail.finish()
      await first.tail.finish()
      const redacted = text.endsWith('X') ? '*********X' : '*'.repeat(text.length)
      expect([cut, first.kept().slice(0, bytes) + second.kept(), first.kept()]).toEqual([cut, redacted, redacted])
    }
  })

  test('keeps what looks like the beginning of a secret, once nothing more comes', async () => {
    const { tail, kept } = await setup({ secrets: ['sk-12345678'] })
    await output.appendFile('no risk')
    await tail.ship()
    await tail.finish()

    expect(kept()).toBe('no risk')
  })

  const LIMIT = 40_000
  const HEAD = LIMIT / 2
  const openLong = (store: ReturnType<typeof createStore>, append = store.append) =>
    openTail({ file, position: store.position(HEAD), secrets: [], limitBytes: LIMIT, append })
  /** Lines of 50 bytes that say how many there were. */
  const lines = (from: number, count: number) =>
    Array.from({ length: count }, (_, at) => `line ${from + at} `.padEnd(49, '.') + '\n').join('')

  // Guarantee: the error that ends a log is kept, however long it is.
  test('keeps the beginning and the end of a log, and its file small while the process goes on writing', async () => {
    const store = createStore()
    const tail = await openLong(store)
    for (let at = 0; at < 400; at++) {
      await output.appendFile(lines(at * 20, 20))
      await tail.ship()
      expect((await stat(path)).size).toBeLessThanOrEqual(LIMIT + 1000)
    }
    await output.appendFile('Error: at the end\n')
    await tail.finish()

    const [head, end] = [true, false].map((isHead) => store.kept().filter(({ startByte }) => startByte < HEAD === isHead).map(textOf).join('')) // prettier-ignore
    expect(head).toBe(lines(0, 400))
    expect(`${lines(0, 8000)}Error: at the end\n`.endsWith(end!)).toBe(true)
    expect(end!.length).toBeGreaterThan(10_000)
    expect(store.text().length).toBeLessThanOrEqual(LIMIT)
    expect(store.kept().at(-1)).toMatchObject({ startByte: 400_018 - textOf(store.kept().at(-1)!).length })
    expect(await tail.lastOutput()).toBe(`${lines(0, 8000)}Error: at the end\n`.slice(-4096))
  })

  test('leaves a log that is within the limit as it is in its file', async () => {
    const store = createStore()
    const tail = await openLong(store)
    for (let at = 0; at < 40; at++) {
      await output.appendFile(lines(at * 20, 20))
      await tail.cut()
      await tail.ship()
    }
    await tail.finish()
    expect(await readFile(path, 'utf8')).toBe(lines(0, 800))
    expect(store.text()).toBe(lines(0, 800))
  })

  // Guarantee: the file is bounded by itself, not by the database that what is in it goes to.
  test('keeps the file small while the database answers nothing, and then the beginning, and the last of what was written', async () => {
    const answer = Promise.withResolvers<void>()
    const store = createStore()
    const tail = await openLong(store, (piece) => answer.promise.then(() => store.append(piece)))
    await output.appendFile(lines(0, 10))
    const shipped = tail.ship()
    for (let at = 0; at < 200; at++) {
      await output.appendFile(lines(10 + at * 20, 20))
      await tail.cut()
      expect((await stat(path)).size).toBeLessThanOrEqual(LIMIT)
    }
    expect(await tail.lastOutput()).toBe(lines(0, 4010).slice(-4096))

    answer.resolve()
    await shipped
    await tail.finish()

    const whole = lines(0, 4010)
    for (const piece of store.kept()) expect(textOf(piece)).toBe(whole.slice(piece.startByte, piece.startByte + piece.bytes))
    expect(store.text().startsWith(whole.slice(0, HEAD))).toBe(true)
    expect(store.text().endsWith(whole.slice(64 - LIMIT / 4))).toBe(true)
    expect((await stat(path)).size).toBeLessThanOrEqual(LIMIT)
  })

  test('shows no part of a secret of which the rest was taken out of the file', async () => {
    const secret = 'sk-0123456789-0123456789'
    const pieces: Piece[] = []
    let isDown = true
    const append = async (piece: Piece) => {
      if (isDown) throw new Error('down')
      return pieces.push(piece)
    }
    const tail = await openTail({ file, position: NOTHING_KEPT, secrets: [Buffer.from(secret)], limitBytes: LIMIT, append })
    for (let at = 0; at < 30; at++) {
      await output.appendFile(secret.repeat(100))
      await tail.cut()
    }
    isDown = false
    await tail.finish()
    expect(new Set(pieces.map(textOf).join(''))).toEqual(new Set('*'))
    expect(pieces.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThan(LIMIT / 2)
  })

  type Step = { do: 'write' | 'ship' | 'cut' | 'restart' | 'fail' | 'lose answer'; bytes: number }
  const steps: fc.Arbitrary<Step[]> = fc.array(
    fc.record({
      do: fc.constantFrom('write', 'write', 'write', 'ship', 'ship', 'cut', 'restart', 'fail', 'lose answer'),
      bytes: fc.oneof(fc.nat(300), fc.nat(30_000)),
    }),
    { maxLength: 60 },
  )

  // Guarantee: a hub that dies at any moment, and a database that comes and goes, lose and double nothing that is not counted as missing.
  test('each piece is what was written where it says, in order, whatever fails between', async () => {
    const word = lines(0, 30_000)
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        await file.truncate(0)
        const store = createStore()
        let failing: Step['do'] | undefined
        const append = async (piece: Piece) => {
          if (failing === 'fail') throw new Error('down')
          const first = await store.append(piece)
          if (failing === 'lose answer') throw new Error('lost')
          return first
        }
        let written = 0
        let tail = await openLong(store, append)
        for (const step of [...all, { do: 'ship', bytes: 0 } as const]) {
          failing = step.do
          if (step.do === 'write') {
            await output.appendFile(word.slice(written, written + step.bytes))
            written = Math.min(word.length, written + step.bytes)
          } else if (step.do === 'restart') tail = await openLong(store, append)
          else if (step.do === 'cut') await tail.cut()
          else await tail.ship().catch(() => undefined)
        }
        failing = undefined
        await tail.finish()

        let end = 0
        for (const piece of store.kept()) {
          expect(piece.startByte).toBeGreaterThanOrEqual(end)
          expect(textOf(piece)).toBe(word.slice(piece.startByte, piece.startByte + piece.bytes))
          end = piece.startByte + piece.bytes
        }
        expect(end).toBe(written)
        expect(store.text().length).toBeLessThanOrEqual(LIMIT)
        if (written <= LIMIT) expect(store.text()).toBe(word.slice(0, written))
        const head = store.kept()[0]
        if (head) expect(head.startByte).toBe(0)
      }),
      { numRuns: 300 },
    )
  }, 60_000)

  // Guarantee: a hub that dies while it makes the file smaller leaves one that the next one reads right.
  test('of a cut that was not finished, what was copied is read, and what was to go is not', async () => {
    const store = createStore()
    const tail = await openLong(store)
    for (let at = 0; at < 45; at++) {
      await output.appendFile(lines(at * 20, 20))
      await tail.ship()
    }
    await output.appendFile('copied\n')
    await tail.cut()
    const [line = ''] = /^.*\n/.exec(await readFile(path, 'latin1')) ?? []
    const { size } = await stat(path)
    await file.write(
      line.replace(/\.+\]/, (dots) => `${size - line.length}]`.padStart(dots.length, '.')),
      0,
    )
    await output.appendFile('what the cut was to take out\n'.repeat(100))

    await (await openLong(store)).finish()

    expect(store.text().endsWith('copied\n')).toBe(true)
  })
})
