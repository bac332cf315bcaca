import fc from 'fast-check'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { LogEnd } from '#db/queries/log-end.ts'
import { openContainerLog } from './container-log.ts'
import { createLogWriter, type LogPiece } from './log-writer.ts'

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
  const pieces: LogPiece[] = []
  const text = () => pieces.map(({ chunk }) => gunzipSync(chunk).toString()).join('')
  const times = () =>
    pieces.flatMap((piece) =>
      gunzipSync(piece.times ?? '')
        .toString()
        .split('\n')
        .slice(0, -1),
    )
  const end = (): LogEnd => {
    const last = Math.max(0, ...pieces.map(({ lastAtMs }) => lastAtMs))
    const recent = pieces.filter(({ lastAtMs }) => lastAtMs >= last - 3000)
    return {
      bytes: pieces.reduce((sum, { bytes }) => sum + bytes, 0),
      seq: pieces.length,
      pieces: recent.map(({ chunk, times: known }) => ({ chunk, times: known ?? null })),
    }
  }
  const append = async (piece: LogPiece): Promise<void> => {
    pieces[piece.seq] = piece
  }
  return { pieces, text, times, end, append }
}

type Setup = {
  lines: Line[]
  store?: ReturnType<typeof createStore>
  secrets?: string[]
  limitBytes?: number
  cut?: () => number | undefined
}

function openLog({ lines, store = createStore(), secrets = [], limitBytes = 1e9, cut = () => undefined }: Setup) {
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
    nowMs: () => startMs,
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
    const pieces: LogPiece[] = []
    const append = async (piece: LogPiece) => void pieces.push(piece)
    const writer = createLogWriter({ position: { bytes: 0, seq: 0 }, secrets: 'everything', limitBytes: 1e6, append, nowMs: () => startMs })
    for (const text of ['one', 'two']) writer.write({ time: stamp(0), text: Buffer.from(text), isStart: true, isEnd: true })
    await writer.flush()
    const text = pieces.map(({ chunk }) => gunzipSync(chunk).toString()).join('')
    expect(text).toMatch(/^\[EvalHub: the Secrets of this run hold more than can be looked for in a log: .*\]\n\*\*\*\n\*\*\*\n$/)
  })

  test('keeps no more than the limit and says so once, after a restart too', async () => {
    const store = createStore()
    const lines = Array.from({ length: 50 }, (_, at) => ({ ns: at * 1e6, text: 'x'.repeat(99) }))
    const setup = { lines, store, limitBytes: 1050 }
    const log = await openLog(setup)
    await log.read(readAll)
    await log.flush()
    const restarted = await openLog(setup)
    await restarted.read(readAll)
    await restarted.flush()

    expect(store.text()).toBe(
      `${'x'.repeat(99)}\n`.repeat(10) + `${'x'.repeat(50)}\n[EvalHub: 1050 bytes of a log are kept: what came after was dropped]\n`,
    )
    expect([log.isFull(), restarted.isFull()]).toEqual([true, true])
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
    const append = async (piece: LogPiece) => {
      if (isDown) throw new Error('down')
      await store.append(piece)
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
