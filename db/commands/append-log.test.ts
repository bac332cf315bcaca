import { describe, expect } from 'vitest'
import type { Db } from '../client.ts'
import { appendLog } from './append-log.ts'
import { clearLog } from './clear-log.ts'
import { findLogEnd } from '../queries/log-end.ts'
import { findLogPosition, NOTHING_KEPT } from '../queries/log-position.ts'
import { specFor, submitSpecs } from '../test-evaluation.ts'
import { test } from '../test-db.ts'

const piece = (evaluationId: string, seq: number, bytes: number, attempt = 1) => ({
  evaluationId,
  benchmarkIndex: 0,
  attempt,
  container: 'local',
  seq,
  bytes,
  startByte: 0,
  chunk: new Uint8Array([0, 255, seq]),
  firstAtMs: 1_700_000_000_000,
  lastAtMs: 1_700_000_000_500,
})
const keyOf = (evaluationId: string, attempt = 1) => ({ evaluationId, benchmarkIndex: 0, attempt })

describe('appendLog', () => {
  test('keeps bytes and times as they are', async ({ db }) => {
    const id = await submitSpecs(db, [specFor('true')])

    await appendLog(db, piece(id, 0, 10))

    const [row] = await db`select chunk, bytes, to_json(first_at) as first_at, to_json(last_at) as last_at
      from evalhub.run_logs where evaluation_id = ${id}`
    expect(Buffer.from(row!.chunk)).toEqual(Buffer.from([0, 255, 0]))
    expect(row!.bytes).toBe(10)
    expect([Date.parse(row!.first_at), Date.parse(row!.last_at)]).toEqual([1_700_000_000_000, 1_700_000_000_500])
  })

  test('repeated, replaces the piece, and the position follows', async ({ db }) => {
    const id = await submitSpecs(db, [specFor('true')])
    expect(await findLogPosition(db, keyOf(id), 'local', 15)).toEqual(NOTHING_KEPT)

    await appendLog(db, piece(id, 0, 10))
    await appendLog(db, { ...piece(id, 1, 5), startByte: 10 })
    await appendLog(db, { ...piece(id, 1, 7), startByte: 10 })

    expect(await findLogPosition(db, keyOf(id), 'local', 15)).toEqual({ bytes: 17, seq: 2, headEnd: 17, tailSeq: null })
  })

  /** A log of pieces of 10 bytes, of which those of the first 20 and the last 30 are kept. */
  async function append(db: Db, id: string, seqs: number[]) {
    let tailSeq = 2
    for (const seq of seqs) {
      const cut = seq < 2 ? {} : { cut: { seq: tailSeq, byte: 10 * (seq + 1) - 30 } }
      tailSeq = Math.max(tailSeq, await appendLog(db, { ...piece(id, seq, 10), startByte: 10 * seq, ...cut }))
    }
  }
  const keptOf = async (db: Db, id: string) => {
    const rows = await db<{ seq: number }[]>`select seq from evalhub.run_logs where evaluation_id = ${id} order by seq`
    return rows.map(({ seq }) => seq)
  }

  // Guarantee: of a log without end a bounded part is kept, and the count of what is kept of its job is that of what is there.
  test('takes away what makes room for a piece, and off what is kept of the job', async ({ db }) => {
    const id = await submitSpecs(db, [specFor('true')])
    const storedBytes = async () => Number((await db`select stored_bytes from evalhub.evaluations where id = ${id}`)[0]!.stored_bytes)
    const before = await storedBytes()

    await append(db, id, [0, 1, 2, 3, 4])
    expect(await keptOf(db, id)).toEqual([0, 1, 2, 3, 4])
    await append(db, id, [5, 6, 7])

    expect(await keptOf(db, id)).toEqual([0, 1, 5, 6, 7])
    expect(await findLogPosition(db, keyOf(id), 'local', 15)).toEqual({ bytes: 80, seq: 8, headEnd: 20, tailSeq: 5 })
    expect((await storedBytes()) - before).toBe(5 * piece(id, 0, 10).chunk.length)
  })

  test('repeated, takes away nothing more', async ({ db }) => {
    const id = await submitSpecs(db, [specFor('true')])
    await append(db, id, [0, 1, 2, 3, 4, 5, 6, 6, 6])
    expect(await keptOf(db, id)).toEqual([0, 1, 4, 5, 6])
  })

  test('takes away all that comes before a piece that fills the room alone', async ({ db }) => {
    const id = await submitSpecs(db, [specFor('true')])
    await append(db, id, [0, 1, 2, 3])
    expect(await appendLog(db, { ...piece(id, 4, 90), startByte: 40, cut: { seq: 2, byte: 100 } })).toBe(4)
    expect(await keptOf(db, id)).toEqual([0, 1, 4])
  })
})

describe('findLogEnd', () => {
  test('has the pieces of the last seconds, as they were kept, in order', async ({ db }) => {
    const id = await submitSpecs(db, [specFor('true')])
    expect(await findLogEnd(db, keyOf(id), 'local', { withinSeconds: 2, headBytes: 15 })).toEqual({
      ...NOTHING_KEPT,
      pieces: [],
      isCut: false,
    })
    const times = new Uint8Array([7, 0])
    for (const [seq, second] of [0, 5, 6, 7].entries()) {
      await appendLog(db, {
        ...piece(id, seq, 10),
        startByte: 10 * seq,
        lastAtMs: 1_700_000_000_000 + second * 1000,
        ...(seq === 3 && { times }),
      })
    }
    await appendLog(db, { ...piece(id, 0, 1000), container: 'sidecar' })
    await appendLog(db, piece(id, 0, 1000, 2))

    const { pieces, ...position } = await findLogEnd(db, keyOf(id), 'local', { withinSeconds: 2, headBytes: 15 })

    expect(position).toEqual({ bytes: 40, seq: 4, headEnd: 20, tailSeq: 2, isCut: false })
    expect(pieces.map(({ chunk }) => chunk.at(-1))).toEqual([1, 2, 3])
    expect(pieces.map((each) => each.times && [...each.times])).toEqual([null, null, [7, 0]])
  })

  test('has none that come before a gap, and says so', async ({ db }) => {
    const id = await submitSpecs(db, [specFor('true')])
    for (const seq of [0, 1, 2, 4, 5]) await appendLog(db, { ...piece(id, seq, 10), startByte: 10 * seq })

    const { pieces, ...position } = await findLogEnd(db, keyOf(id), 'local', { withinSeconds: 2, headBytes: 25 })

    expect(position).toEqual({ bytes: 60, seq: 6, headEnd: 30, tailSeq: 4, isCut: true })
    expect(pieces.map(({ chunk }) => chunk.at(-1))).toEqual([4, 5])
  })
})

describe('clearLog', () => {
  test('empties the log of one attempt only', async ({ db }) => {
    const id = await submitSpecs(db, [specFor('true')])
    await appendLog(db, piece(id, 0, 10))
    await appendLog(db, piece(id, 0, 20, 2))

    await clearLog(db, keyOf(id))

    expect(await findLogPosition(db, keyOf(id), 'local', 15)).toEqual(NOTHING_KEPT)
    expect(await findLogPosition(db, keyOf(id, 2), 'local', 15)).toEqual({ bytes: 20, seq: 1, headEnd: 20, tailSeq: null })
  })
})
