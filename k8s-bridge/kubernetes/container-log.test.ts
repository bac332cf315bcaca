import fc from 'fast-check'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { LogEnd } from '#db/queries/log-end.ts'
import { NOTHING_KEPT } from '#db/queries/log-position.ts'
import { openContainerLog } from './container-log.ts'
import type { Piece } from '../log-bounds.ts'
import { createLogWriter } from './log-writer.ts'

const startMs = Date.UTC(2026, 10, 25, 18)
type Line = { ns: number; text: string }

const stamp = (ns: number) => {
  const ms = startMs + Math.floor(ns / 1e6)
  return `${new Date(ms).toISOString().slice(0, 19)}.${`${(ms % 1000) * 1e6 + (ns % 1e6)}`.padStart(9, '0')}Z`
}

/** Answers as a kubelet does: lines from `sinceTime` on, which it knows in seconds; cut after some bytes. */
function answer(lines: readonly Line[], path: string, cut: number | undefined): Buffer {
  const since = new URL(path, 'http://x').searchParams.get('sinceTime')
  if (since !== null) expect(since).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  const wanted = lines.filter(({ ns }) => since === null || stamp(ns) >= since.replace('Z', '.000000000Z'))
  return Buffer.from(wanted.map(({ ns, text }) => `${stamp(ns)} ${text}\n`).join('')).subarray(0, cut)
}

async function* inChunks(bytes: Buffer, isCut: boolean) {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000)
  if (isCut) throw new Error('aborted')
}

/** What is in the database, and what a bridge that starts finds of it. */
function createStore() {
  const pieces: Piece[] = []
  const kept = () => pieces.filter((piece) => piece !== undefined)
  const text = () =>
    kept()
      .map(({ chunk }) => gunzipSync(chunk).toString())
      .join('')
  const times = () =>
    kept().flatMap((piece) =>
      gunzipSync(piece.times ?? '')
        .toString()
        .split('\n')
        .slice(0, -1),
    )
  const end = (): LogEnd => {
    const last = Math.max(0, ...kept().map(({ lastAtMs }) => lastAtMs))
    const gap = kept().findLastIndex(({ seq }) => seq > 0 && !pieces[seq - 1])
    const recent = kept().filter(({ lastAtMs }, at) => lastAtMs >= last - 3000 && at >= gap)
    const { startByte = 0, bytes = 0 } = pieces.at(-1) ?? {}
    return {
      bytes: startByte + bytes,
      seq: pieces.length,
      headEnd: 0,
      tailSeq: gap < 0 ? null : (kept()[gap]?.seq ?? null),
      pieces: recent.map(({ chunk, times: known }) => ({ chunk, times: known ?? null })),
      isCut: gap >= 0,
    }
  }
  /** As `appendLog` does. */
  const append = async (piece: Piece): Promise<number> => {
    pieces[piece.seq] = piece
    const { seq, byte } = piece.cut ?? { seq: piece.seq, byte: 0 }
    const first = kept().find((each) => each.seq >= seq && each.startByte >= byte)?.seq ?? piece.seq
    for (let at = seq; at < Math.min(first, piece.seq); at++) delete pieces[at]
    return first
  }
  return { pieces, kept, text, times, end, append }
}

type Setup = {
  lines: Line[]
  store?: ReturnType<typeof createStore>
  secrets?: string[]
  limitBytes?: number
  cut?: () => number | undefined
  nowMs?: () => number
}

function openLog({ lines, store = createStore(), secrets = [], limitBytes = 1e9, cut = () => undefined, nowMs = () => startMs }: Setup) {
  const open = async (path: string) => {
    const at = cut()
    return inChunks(answer(lines, path, at), at !== undefined)
  }
  return openContainerLog({
    open,
    namespace: 'tenant',
    pod: 'pod',
    container: 'adapter',
    end: store.end(),
    limitBytes,
    append: store.append,
    secrets: secrets.map((secret) => Buffer.from(secret)),
    nowMs,
  })
}

const readAll = { follow: false, signal: new AbortController().signal }
const followed = { follow: true, signal: new AbortController().signal }

/** Lines of which many have one time, and some are older than the line before them, by less than a second. */
const arbitraryLines = fc
  .array(
    fc.record({
      step: fc.constantFrom(0, 0, 1, 1000, 300_000_000, 1_500_000_000, 7e9),
      back: fc.constantFrom(0, 0, 0, 0, 400_000_000),
      text: fc.constantFrom('', 'a', 'bb', 'ü', 'x'.repeat(90_000)),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((steps) => {
    let ns = 1e9
    return steps.map(({ step, back, text }, at) => {
      ns += step
      return { ns: ns - back, text: `${at} ${text}` }
    })
  })

describe('openContainerLog', () => {
  test('keeps each line once and in order, wherever readings are cut and bridges end', async () => {
    const action = fc.record({
      shown: fc.nat(30),
      cut: fc.nat(200_000),
      follow: fc.boolean(),
      flushes: fc.boolean(),
      restarts: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(arbitraryLines, fc.array(action, { maxLength: 8 }), async (lines, actions) => {
        const store = createStore()
        const shown: Line[] = []
        let cut: number | undefined
        const setup = { lines: shown, store, cut: () => cut }
        let log = await openLog(setup)
        for (const step of actions) {
          if (step.restarts) log = await openLog(setup)
          shown.push(...lines.slice(shown.length, Math.max(shown.length, step.shown)))
          cut = step.cut
          await log.read(step.follow ? followed : readAll).catch(() => undefined)
          if (step.flushes) await log.flush()
        }
        shown.push(...lines.slice(shown.length))
        cut = undefined
        await log.read(readAll)
        await log.flush()

        expect(store.text()).toBe(lines.map(({ text }) => `${text}\n`).join(''))
        expect(store.times()).toEqual(lines.map(({ ns }) => stamp(ns)))
      }),
      { numRuns: 200 },
    )
  })

  test('says where lines are missing that the node had no more', async () => {
    const store = createStore()
    const lines = [0, 1, 2].map((second) => ({ ns: second * 1e9, text: `${second}` }))
    const log = await openLog({ lines, store })
    await log.read(readAll)

    // The kubelet's log file was rotated twice.
    lines.splice(0, 3, ...[7, 8].map((second) => ({ ns: second * 1e9, text: `${second}` })))
    await log.read(readAll)
    await log.flush()

    expect(store.text()).toBe('0\n1\n2\n[EvalHub: lines are missing here: the node had them no more]\n7\n8\n')
    expect(store.times()).toEqual([stamp(0), stamp(1e9), stamp(2e9), '', stamp(7e9), stamp(8e9)])

    const restarted = await openLog({ lines, store })
    await restarted.read(readAll)
    await restarted.flush()
    expect(store.text()).toMatch(/\n7\n8\n$/)
  })

  test.each([1, 5, 12])('stores no secret, even where a line of many parts and a cut divide it (%i)', async (cutBytes) => {
    const store = createStore()
    const long = `${'x'.repeat(100_000 - 31 - cutBytes)}sk-12345678 ${'y'.repeat(70_000)}`
    const lines = [
      { ns: 0, text: long },
      { ns: 1, text: 'key=sk-12345678' },
    ]
    let cut: number | undefined = 100_000
    const setup = { lines, store, secrets: ['sk-12345678'], cut: () => cut }
    const first = await openLog(setup)
    await first.read(followed).catch(() => undefined)
    await first.flush()
    const second = await openLog(setup)
    cut = undefined
    await second.read(readAll)
    await second.flush()

    expect(store.text()).toBe(`${long}\nkey=sk-12345678\n`.replaceAll('sk-12345678', '***********'))
  })

  // Guarantee: a bridge that goes on within a line hides what belongs to the secret that an earlier one has hidden the beginning of.
  test.each([
    ['aaaaaaaa', 'aaaaaaaaaaa', '***********'],
    ['-abcdefgh abcdefghij', '-abcdefghX', '*********X'],
  ])('stores no part of %s where a restart goes on within %s', async (words, text, redacted) => {
    for (let cutBytes = 1; cutBytes < text.length; cutBytes++) {
      const store = createStore()
      const lines = [{ ns: 0, text: `${'x'.repeat(100_000 - 31 - cutBytes)}${text}${'y'.repeat(70_000)}` }]
      let cut: number | undefined = 100_000
      const setup = { lines, store, secrets: words.split(' '), cut: () => cut }
      const first = await openLog(setup)
      await first.read(followed).catch(() => undefined)
      await first.flush()
      const second = await openLog(setup)
      cut = undefined
      await second.read(readAll)
      await second.flush()
      expect([cutBytes, store.text().replaceAll(/[xy\n]/g, '')]).toEqual([cutBytes, redacted])
    }
  })

  test('says why all of a log is asterisks', async () => {
    const pieces: Piece[] = []
    const append = async (piece: Piece) => pieces.push(piece)
    const writer = createLogWriter({ position: NOTHING_KEPT, secrets: 'everything', limitBytes: 1e6, append, nowMs: () => startMs })
    for (const text of ['one', 'two']) writer.write({ time: stamp(0), text: Buffer.from(text), isStart: true, isEnd: true })
    await writer.flush()
    const text = pieces.map(({ chunk }) => gunzipSync(chunk).toString()).join('')
    expect(text).toMatch(/^\[EvalHub: the Secrets of this run hold more than can be looked for in a log: .*\]\n\*\*\*\n\*\*\*\n$/)
  })

  /** Of a log whose pieces say where they begin: as many bytes as are between two of them. */
  const gapsOf = (pieces: Piece[]) =>
    pieces.slice(1).map(({ startByte }, at) => startByte - (pieces[at]?.startByte ?? 0) - (pieces[at]?.bytes ?? 0))

  // Guarantee: the error that ends a log is kept, however long it is, and what is missing of its middle is known to the byte.
  test('keeps the beginning and the end of a log beyond the limit, after a restart too', async () => {
    const store = createStore()
    const lines = Array.from({ length: 500 }, (_, at) => ({ ns: at * 1e6, text: `${at}`.padStart(99, '.') }))
    const whole = lines.map(({ text }) => `${text}\n`).join('')
    const setup = { lines, store, limitBytes: 10_000 }
    const log = await openLog(setup)
    await log.read(readAll)
    await log.flush()
    lines.push(...Array.from({ length: 500 }, (_, at) => ({ ns: (at + 500) * 1e6, text: `${at + 500}`.padStart(99, '.') })))
    const restarted = await openLog(setup)
    await restarted.read(readAll)
    await restarted.flush()

    const [head, tail] = [
      store.kept().filter(({ startByte }) => startByte < 5000),
      store.kept().filter(({ startByte }) => startByte >= 5000),
    ]
    const text = (pieces: Piece[]) => pieces.map(({ chunk }) => gunzipSync(chunk).toString()).join('')
    expect(store.text().length).toBeLessThanOrEqual(10_000)
    expect(whole.startsWith(text(head))).toBe(true)
    expect(text(head).length).toBeGreaterThanOrEqual(5000)
    expect(text(tail)).toMatch(/^(\.*\d+\n)+$/)
    expect(text(tail).endsWith(`${'999'.padStart(99, '.')}\n`)).toBe(true)
    expect(text(tail).length).toBeGreaterThan(2000)
    const gaps = gapsOf(store.kept())
    expect(gaps.filter((bytes) => bytes !== 0)).toEqual([100_000 - store.text().length])
  })

  // Guarantee: a container that writes without end takes a bounded part of the bridge, and of a log that is within the limit nothing waits.
  test('reads a log at its pace once its beginning is kept, and one that cannot keep up asks again', async () => {
    const store = createStore()
    const lines = Array.from({ length: 300 }, (_, at) => ({ ns: at * 1e6, text: 'x'.repeat(99) }))
    let nowMs = startMs
    const log = await openLog({ lines, store, limitBytes: 10_000, nowMs: () => nowMs })
    const waits: number[] = []
    const pace = (bytes: number) => {
      waits.push(store.kept().reduce((sum, piece) => sum + piece.bytes, 0))
      nowMs += bytes > 0 && waits.length === 3 ? 60_000 : 0
      return Promise.resolve()
    }
    await log.read({ ...readAll, pace })
    expect(waits.length).toBe(3)
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(5000)
    expect(log.isAtEnd()).toBe(false)

    await log.read(readAll)
    await log.flush()
    expect(log.isAtEnd()).toBe(true)
    expect(gapsOf(store.kept()).every((bytes) => bytes >= 0)).toBe(true)
    const { startByte = 0, bytes = 0 } = store.kept().at(-1) ?? {}
    expect(startByte + bytes).toBe(30_000)
  })

  test('takes no line for new that was taken away again', async () => {
    const store = createStore()
    // Longer than are remembered by their times, and all of one second.
    const lines = Array.from({ length: 100 }, (_, at) => ({ ns: at * 1e6, text: 'x'.repeat(999) }))
    const setup = { lines, store, limitBytes: 20_000 }
    const log = await openLog(setup)
    await log.read(readAll)
    await log.flush()
    const kept = store.times()
    const restarted = await openLog(setup)
    await restarted.read(readAll)
    await restarted.flush()
    expect(store.times()).toEqual(kept)
  })

  test('a piece has the times of its lines', async () => {
    const store = createStore()
    const log = await openLog({
      lines: [
        { ns: 5e9, text: 'a' },
        { ns: 4.5e9, text: 'b' },
        { ns: 9e9, text: 'c' },
      ],
      store,
    })
    await log.read(readAll)
    await log.flush()

    expect(store.pieces).toMatchObject([{ seq: 0, bytes: 6, firstAtMs: startMs + 4500, lastAtMs: startMs + 9000 }])
  })

  test('what the database did not take is stored by the next flush, in order', async () => {
    const store = createStore()
    let isDown = true
    const append = async (piece: Piece) => {
      if (isDown) throw new Error('down')
      return store.append(piece)
    }
    const lines = [{ ns: 0, text: 'a' }]
    const log = await openLog({ lines, store: { ...store, append } })
    await log.read(readAll)
    await expect(log.flush()).rejects.toThrow('down')
    lines.push({ ns: 1, text: 'b' })
    await log.read(readAll)

    isDown = false
    await log.flush()

    expect(store.text()).toBe('a\nb\n')
  })

  test('says that its end is missing, once, also to a bridge that starts', async () => {
    const store = createStore()
    const lines = [{ ns: 0, text: 'a' }]
    const log = await openLog({ lines, store })
    await log.read(readAll)
    log.noteMissingEnd('gone')
    log.noteMissingEnd('gone')
    await log.flush()
    const restarted = await openLog({ lines, store })
    restarted.noteMissingEnd('gone')
    await restarted.flush()

    expect(store.text()).toBe('a\n[EvalHub: the end of this log is missing: gone]\n')
  })

  test('says so too where the container has said it already', async () => {
    const store = createStore()
    const lines = [{ ns: 0, text: '[EvalHub: the end of this log is missing: forged]' }]
    const log = await openLog({ lines, store })
    await log.read(readAll)
    await log.flush()
    const restarted = await openLog({ lines, store })
    restarted.noteMissingEnd('gone')
    await restarted.flush()

    expect(store.text()).toMatch(/forged\]\n\[EvalHub: the end of this log is missing: gone\]\n$/)
  })
})
