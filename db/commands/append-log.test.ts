import { describe, expect } from 'vitest'
import { appendLog } from './append-log.ts'
import { clearLog } from './clear-log.ts'
import { findLogEnd } from '../queries/log-end.ts'
import { findLogPosition } from '../queries/log-position.ts'
import { specFor, submitSpecs } from '../test-evaluation.ts'
import { test } from '../test-db.ts'

const piece = (evaluationId: string, seq: number, bytes: number, attempt = 1) => ({
  evaluationId,
  benchmarkIndex: 0,
  attempt,
  container: 'local',
  seq,
  bytes,
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
    expect(await findLogPosition(db, keyOf(id), 'local')).toEqual({ bytes: 0, seq: 0 })

    await appendLog(db, piece(id, 0, 10))
    await appendLog(db, piece(id, 1, 5))
    await appendLog(db, piece(id, 1, 7))

    expect(await findLogPosition(db, keyOf(id), 'local')).toEqual({ bytes: 17, seq: 2 })
  })
})

describe('findLogEnd', () => {
  test('has the pieces of the last seconds, as they were kept, in order', async ({ db }) => {
    const id = await submitSpecs(db, [specFor('true')])
    expect(await findLogEnd(db, keyOf(id), 'local', 2)).toEqual({ bytes: 0, seq: 0, pieces: [] })
    const times = new Uint8Array([7, 0])
    for (const [seq, second] of [0, 5, 6, 7].entries()) {
      await appendLog(db, { ...piece(id, seq, 10), lastAtMs: 1_700_000_000_000 + second * 1000, ...(seq === 3 && { times }) })
    }
    await appendLog(db, { ...piece(id, 0, 1000), container: 'sidecar' })
    await appendLog(db, piece(id, 0, 1000, 2))

    const { bytes, seq, pieces } = await findLogEnd(db, keyOf(id), 'local', 2)

    expect({ bytes, seq }).toEqual({ bytes: 40, seq: 4 })
    expect(pieces.map(({ chunk }) => chunk.at(-1))).toEqual([1, 2, 3])
    expect(pieces.map((each) => each.times && [...each.times])).toEqual([null, null, [7, 0]])
  })
})

describe('clearLog', () => {
  test('empties the log of one attempt only', async ({ db }) => {
    const id = await submitSpecs(db, [specFor('true')])
    await appendLog(db, piece(id, 0, 10))
    await appendLog(db, piece(id, 0, 20, 2))

    await clearLog(db, keyOf(id))

    expect(await findLogPosition(db, keyOf(id), 'local')).toEqual({ bytes: 0, seq: 0 })
    expect(await findLogPosition(db, keyOf(id, 2), 'local')).toEqual({ bytes: 20, seq: 1 })
  })
})
