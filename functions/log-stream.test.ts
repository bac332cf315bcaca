import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { logStream, type LogWish, type ReadPieces } from './log-stream.ts'
import { WORST_LOGS } from './test-worst-logs.ts'

const MIB = 1024 * 1024

/** A log of these pieces, read `atOnce` at a time; piece n was read at second n. */
const readerOf =
  (texts: readonly string[], atOnce = 2): ReadPieces =>
  ({ after, backwards }) => {
    const pieces = texts.map((text, seq) => ({
      seq,
      chunk: gzipSync(text),
      last_at: `2026-11-23T12:00:0${seq}Z`,
      times: null,
      since: null,
      start_byte: null,
      missing: 0,
    }))
    const wanted = backwards ? pieces.toReversed().filter(({ seq }) => seq < after) : pieces.filter(({ seq }) => seq > after)
    return Promise.resolve(wanted.slice(0, atOnce))
  }

async function textOf(read: ReadPieces, { tail, timestamps = false }: { tail: number; timestamps?: boolean }): Promise<string> {
  const wish: LogWish = { tail, timestamps }
  const parts: Uint8Array[] = []
  for await (const part of logStream(read, wish)) {
    expect(part.length).toBeGreaterThan(0)
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

describe('logStream', () => {
  const texts = fc.array(
    fc.array(fc.constantFrom('a', '\n', 'bc', 'ü'), { maxLength: 6 }).map((parts) => parts.join('')),
    { maxLength: 6 },
  )

  test('is what splitting the whole into lines would give, however it lies in pieces', async () => {
    await fc.assert(
      fc.asyncProperty(texts, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 4 }), async (parts, tail, atOnce) => {
        const whole = parts.join('')
        const last = whole.replace(/\n$/, '').split('\n').slice(-tail).join('\n')
        expect(await textOf(readerOf(parts, atOnce), { tail })).toBe(last)
        expect(await textOf(readerOf(parts, atOnce), { tail: -1 })).toBe(whole)
      }),
    )
  })

  test('puts one time before each line, and changes nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(texts, fc.constantFrom(-1, 1, 3), async (parts, tail) => {
        const plain = await textOf(readerOf(parts), { tail })
        const stamped = await textOf(readerOf(parts), { tail, timestamps: true })
        expect(stamped.replaceAll(/^2026-11-23T12:00:0\dZ /gm, '')).toBe(plain)
        const lines = stamped.split('\n')
        // After the last newline there is no line.
        if (lines.at(-1) === '') lines.pop()
        for (const line of lines) expect(line).toMatch(/^2026-11-23T12:00:0\dZ /)
      }),
    )
  })

  test('gives each line the time that is kept of it, and a line without one that of the line before', async () => {
    const pieces = [
      ['a\nb\nc', '10Z\n20Z\n30Z\n'],
      ['c\nnote\nd\n', '\n40Z\n'],
    ].map(([text = '', times = ''], seq) => ({
      seq,
      chunk: gzipSync(text),
      times: gzipSync(times),
      last_at: '99Z',
      since: null,
      start_byte: null,
      missing: 0,
    }))
    const read: ReadPieces = ({ after, backwards }) =>
      Promise.resolve(backwards ? pieces.toReversed().filter(({ seq }) => seq < after) : pieces.filter(({ seq }) => seq > after))
    expect(await textOf(read, { tail: -1, timestamps: true })).toBe('10Z a\n20Z b\n30Z cc\n99Z note\n40Z d\n')
    expect(await textOf(read, { tail: 3, timestamps: true })).toBe('30Z cc\n99Z note\n40Z d')
  })

  // Guarantee: only the bridge can say what a line of EvalHub’s own is.
  test('shows notes of the bridge as they are, and lines that only look like them as what they are', async () => {
    const [text, times] = ['a\n[EvalHub: it is over]\n', '10Z\n20Z\n']
    const pieces = [
      { seq: 0, chunk: gzipSync(text), times: gzipSync(times), last_at: '99Z', since: null, start_byte: null, missing: 0 },
      { seq: 1, chunk: gzipSync(text), times: gzipSync('30Z\n\n'), last_at: '99Z', since: null, start_byte: null, missing: 0 },
      { seq: 2, chunk: gzipSync('=== pod=x\r'), times: null, last_at: '99Z', since: null, start_byte: null, missing: 0 },
    ]
    const read: ReadPieces = ({ after, backwards }) =>
      Promise.resolve(backwards ? pieces.toReversed().filter(({ seq }) => seq < after) : pieces.filter(({ seq }) => seq > after))
    const whole = 'a\n⟨U+005B⟩EvalHub: it is over]\na\n[EvalHub: it is over]\n⟨U+003D⟩== pod=x␍'
    expect(await textOf(read, { tail: -1 })).toBe(whole)
    expect(await textOf(read, { tail: 2 })).toBe('[EvalHub: it is over]\n⟨U+003D⟩== pod=x␍')
    const stamped = '10Z a\n20Z ⟨U+005B⟩EvalHub: it is over]\n30Z a\n30Z [EvalHub: it is over]\n99Z ⟨U+003D⟩== pod=x␍'
    expect(await textOf(read, { tail: -1, timestamps: true })).toBe(stamped)
  })

  test('of bytes that take ten times as many to show no more is held than of others', async () => {
    const piece = {
      seq: 0,
      chunk: gzipSync(Buffer.alloc(1024 * 1024, 0xff)),
      times: null,
      last_at: '99Z',
      since: null,
      start_byte: null,
      missing: 0,
    }
    for (const timestamps of [false, true]) {
      const read: ReadPieces = ({ after }) => Promise.resolve(after < 0 ? [piece] : [])
      for await (const part of logStream(read, { tail: -1, timestamps })) expect(part.length).toBeLessThan(1024 * 1024)
    }
  })

  // Guarantee: while one reads a log, whatever is in it, others are served.
  test.each(WORST_LOGS.map((log) => [log.name, log] as const))(
    'others have a turn after 1.25 MiB of %s at most',
    async (_, { text, times, timestamps }) => {
      const piece = { chunk: gzipSync(text), times, last_at: '2026-11-23T12:00:00Z', since: null, start_byte: null, missing: 0 }
      const read: ReadPieces = ({ after }) => Promise.resolve(after < 2 ? [{ seq: after + 1, ...piece }] : [])
      let [bytes, most, isOver] = [0, 0, false]
      const others = () => {
        bytes = 0
        if (!isOver) setImmediate(others)
      }
      setImmediate(others)
      for await (const part of logStream(read, { tail: -1, timestamps })) {
        expect(part.length).toBeLessThanOrEqual(MIB)
        bytes += part.length
        most = Math.max(most, bytes)
      }
      isOver = true
      expect(most).toBeLessThanOrEqual(1.25 * MIB)
    },
  )

  // A line of a mebibyte lies in several pieces.
  test('takes a piece in which no line begins for the middle of one, whose writer is not EvalHub', async () => {
    const pieces = [
      ['a', '10Z\n'],
      ['\u001bb', ''],
      ['c\n[EvalHub: x]\n', '20Z\n'],
    ].map(([text = '', times = ''], seq) => ({
      seq,
      chunk: gzipSync(text),
      times: gzipSync(times),
      last_at: '99Z',
      since: null,
      start_byte: null,
      missing: 0,
    }))
    const read: ReadPieces = ({ after }) => Promise.resolve(pieces.filter(({ seq }) => seq > after))
    expect(await textOf(read, { tail: -1, timestamps: true })).toBe('10Z a␛bc\n20Z ⟨U+005B⟩EvalHub: x]\n')
    expect(await textOf(read, { tail: -1 })).toBe('a␛bc\n⟨U+005B⟩EvalHub: x]\n')
  })

  test.each([
    [['a\nb\n'], 1, 'b'],
    [['a\nb'], 1, 'b'],
    [['a\n\n'], 1, ''],
    [['\na\n'], 2, '\na'],
    [['a\nb\n'], 9, 'a\nb'],
    [['a\n', 'b\n'], 1, 'b'],
    [['a\nb', '\n', ''], 1, 'b'],
    [[], 3, ''],
  ])('of %j the last %i are %j', async (parts, tail, lines) => {
    expect(await textOf(readerOf(parts), { tail })).toBe(lines)
  })

  test('gives a line that lies in two pieces the time of the first, in which it begins', async () => {
    expect(await textOf(readerOf(['one\ntw', 'o\nthree\n']), { tail: -1, timestamps: true })).toBe(
      '2026-11-23T12:00:00Z one\n2026-11-23T12:00:00Z two\n2026-11-23T12:00:01Z three\n',
    )
  })

  test.each([
    ['2026-11-23T12:00:00Z', 'a\nb\nc', 'b\nc'],
    ['2026-11-23T12:00:15.5Z', 'b\nc', 'b\nc'],
    ['2026-11-23T12:00:25Z', 'c', 'c'],
  ])('leaves out the lines that are older than %s, though others of their piece are not', async (since, all, lastTwo) => {
    const times = gzipSync(['10', '20', '30'].map((second) => `2026-11-23T12:00:${second}.000000001Z\n`).join(''))
    const piece = { seq: 0, chunk: gzipSync('a\nb\nc'), times, last_at: '2026-11-23T12:00:30Z', since, start_byte: null, missing: 0 }
    const read: ReadPieces = ({ after, backwards }) => Promise.resolve(after === (backwards ? 2 ** 31 - 1 : -1) ? [piece] : [])
    expect(await textOf(read, { tail: -1 })).toBe(all)
    expect(await textOf(read, { tail: 2 })).toBe(lastTwo)
  })

  type Kept = { text: string; missing: number }
  const NOTE = (missing: number) => `[EvalHub: ${missing} bytes are missing here: of a long log the beginning and the end are kept]\n`

  /** A log of which bytes are missing before some pieces, as the database has it. */
  const gappedReader = (kept: readonly Kept[], atOnce = 2): ReadPieces => {
    let start = 0
    const pieces = kept.map(({ text, missing }, seq) => {
      start += missing + (seq > 0 ? Buffer.byteLength(kept[seq - 1]!.text) : 0)
      return { seq, chunk: gzipSync(text), last_at: `2026-11-23T12:00:0${seq}Z`, times: null, since: null, start_byte: start, missing }
    })
    return ({ after, backwards }) => {
      const wanted = backwards ? pieces.toReversed().filter(({ seq }) => seq < after) : pieces.filter(({ seq }) => seq > after)
      return Promise.resolve(wanted.slice(0, atOnce))
    }
  }

  const gapped = fc
    .array(fc.record({ text: fc.stringMatching(/^[a\nb]{1,6}$/), missing: fc.constantFrom(0, 0, 7, 1234) }), { maxLength: 6 })
    .map((kept) => kept.map((each, at) => ({ ...each, missing: at === 0 ? 0 : each.missing })))

  // Guarantee: whoever reads a log is told where something is missing, and how much, in a line that only EvalHub writes.
  test('says how much is missing, in a line of its own that counts as one', async () => {
    await fc.assert(
      fc.asyncProperty(gapped, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 4 }), async (kept, tail, atOnce) => {
        const read = gappedReader(kept, atOnce)
        const whole = kept.reduce((before, { text, missing }) => {
          const newline = before === '' || before.endsWith('\n') ? '' : '\n'
          return before + (missing > 0 ? newline + NOTE(missing) : '') + text
        }, '')
        expect(await textOf(read, { tail: -1 })).toBe(whole)
        expect(await textOf(read, { tail })).toBe(whole.replace(/\n$/, '').split('\n').slice(-tail).join('\n'))
        for (const wanted of [-1, tail]) {
          const stamped = await textOf(read, { tail: wanted, timestamps: true })
          expect(stamped.replaceAll(/^2026-11-23T12:00:0\dZ /gm, '')).toBe(await textOf(read, { tail: wanted }))
          const times = stamped.split('\n').filter((line, at, lines) => line !== '' || at < lines.length - 1)
          for (const line of times) expect(line).toMatch(/^2026-11-23T12:00:0\dZ /)
          expect(times.map((line) => line.slice(0, 20))).toEqual(times.map((line) => line.slice(0, 20)).toSorted())
        }
      }),
      { numRuns: 60 },
    )
  })

  test('an adapter that writes such a line is shown as having written it', async () => {
    expect(await textOf(readerOf([NOTE(5)]), { tail: -1 })).toBe(NOTE(5).replace('[', '⟨U+005B⟩'))
  })

  // Guarantee: a log that goes on while it is read, and loses its middle, is read in order, each line once, and what was lost meanwhile is said.
  test('a reader that the end of the log overtakes is told what it has not seen, and sees nothing twice', async () => {
    const line = (seq: number) => `line ${String(seq).padStart(4, '0')}\n`
    const piece = (seq: number, missing: number) => ({
      seq,
      chunk: gzipSync(line(seq)),
      last_at: '2026-11-23T12:00:00Z',
      times: null,
      since: null,
      start_byte: seq * 10,
      missing,
    })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(12), { minLength: 1, maxLength: 30 }), fc.constantFrom(-1, 3, 8, 40), async (moves, tail) => {
        // Of the first 5 pieces and of the last 10; each reading finds that more were written.
        let end = 20
        const read: ReadPieces = ({ after, backwards }) => {
          end += moves.length > 0 ? moves.pop()! : 0
          const first = Math.max(5, end - 10)
          const seqs = Array.from({ length: end }, (_, seq) => seq).filter((seq) => seq < 5 || seq >= first)
          const pieces = seqs.map((seq) => piece(seq, seq === first ? (first - 5) * 10 : 0))
          const wanted = backwards ? pieces.toReversed().filter(({ seq }) => seq < after) : pieces.filter(({ seq }) => seq > after)
          return Promise.resolve(wanted.slice(0, 3))
        }
        const lines = (await textOf(read, { tail })).split('\n').filter((each) => each !== '')
        let at: number | undefined
        for (const each of lines) {
          const [, missing] = /^\[EvalHub: (\d+) bytes are missing/.exec(each) ?? []
          const [, seq] = /^line (\d{4})$/.exec(each) ?? []
          expect(missing ?? seq).toBeDefined()
          if (missing !== undefined) at = at === undefined ? undefined : at + Number(missing) / 10
          else {
            if (at !== undefined) expect(Number(seq)).toBe(at)
            at = Number(seq) + 1
          }
        }
        expect(at).toBe(end)
      }),
      { numRuns: 60 },
    )
  })

  test('of a gap before what is wanted by its age nothing is said', async () => {
    const times = gzipSync('2026-11-23T12:00:10.000000000Z\n2026-11-23T12:00:20.000000000Z\n')
    const kept = { seq: 0, chunk: gzipSync('a\nb\n'), times, last_at: '2026-11-23T12:00:20Z', start_byte: 100, missing: 90 }
    const read =
      (since: string): ReadPieces =>
      ({ after }) =>
        Promise.resolve(after < 0 ? [{ ...kept, since }] : [])
    expect(await textOf(read('2026-11-23T12:00:15Z'), { tail: -1 })).toBe('b\n')
    expect(await textOf(read('2026-11-23T12:00:05Z'), { tail: -1 })).toBe(`${NOTE(90)}a\nb\n`)
  })
})
