import { describe, expect } from 'vitest'
import type { Pool } from '#db/client.ts'
import { appendLog } from '#db/commands/append-log.ts'
import { createEvaluations } from '#db/commands/create-evaluation.ts'
import { specFor } from '#db/test-evaluation.ts'
import { test } from '#db/test-db.ts'
import { uuidV7Source } from '#shared/uuid-v7.ts'
import { retain } from './retention.ts'

const DAY_MS = 86_400_000

const timeOf = (daysAgo: number) => Date.now() - daysAgo * DAY_MS

/** A job that was submitted and, unless it still runs, ended so many days ago, with a line of log from then. */
async function jobOf(db: Pool, daysAgo: number, { isRunning = false } = {}): Promise<string> {
  const at = timeOf(daysAgo)
  const id = uuidV7Source({ now: () => at, random: (bytes) => void crypto.getRandomValues(bytes) })()
  const request = { name: 'old', model: { url: 'http://localhost/v1', name: 'toy' } }
  const scope = { tenant: 'red', user: 'ann', everyTenant: false }
  const specs = [specFor('true')]
  await createEvaluations(db, [
    { id, scope, request, specs, aggregateThreshold: 0.5, collectionUpdatedAt: null, snapshots: 0, footprint: 0, idempotency: undefined },
  ])
  if (!isRunning)
    await db`update evalhub.evaluations set state = 'completed', finished_at = to_timestamp(${at / 1000}::float8) where id = ${id}`
  const piece = {
    evaluationId: id,
    benchmarkIndex: 0,
    attempt: 1,
    container: 'local',
    seq: 0,
    bytes: 1,
    startByte: 0,
    chunk: new Uint8Array([1]),
  }
  await appendLog(db, { ...piece, firstAtMs: at, lastAtMs: at })
  return id
}

const logsOf = async (db: Pool, ids: string[]) =>
  (await db<{ id: string }[]>`select evaluation_id as id from evalhub.run_logs`).map(({ id }) => ids.indexOf(id)).sort()

const visible = async (db: Pool, ids: string[]) =>
  (await db<{ id: string }[]>`select id from evalhub.evaluations where deleted_at is null`).map(({ id }) => ids.indexOf(id)).sort()

describe('retain', () => {
  test('removes logs and jobs that are older than they are to be kept, and nothing younger', async ({ db }) => {
    const ids = [await jobOf(db, 100), await jobOf(db, 91), await jobOf(db, 89), await jobOf(db, 0)]
    await retain(db, { logDays: 0, evaluationDays: 0 })
    expect(await logsOf(db, ids)).toEqual([0, 1, 2, 3])

    await retain(db, { logDays: 90, evaluationDays: 95 })
    expect(await logsOf(db, ids)).toEqual([2, 3])
    expect(await visible(db, ids)).toEqual([1, 2, 3])
  })

  test('a job that runs is kept, however old it is, and so is what it still writes', async ({ db }) => {
    await db`truncate evalhub.evaluations cascade`
    const id = await jobOf(db, 50, { isRunning: true })
    const now = Date.now()
    const piece = {
      evaluationId: id,
      benchmarkIndex: 0,
      attempt: 1,
      container: 'local',
      bytes: 1,
      startByte: 0,
      chunk: new Uint8Array([1]),
    }
    await appendLog(db, { ...piece, seq: 1, firstAtMs: now, lastAtMs: now })
    await retain(db, { logDays: 1, evaluationDays: 1 })
    expect(await visible(db, [id])).toEqual([0])
    expect(await logsOf(db, [id])).toEqual([0])
  })

  test('forgets idempotency keys that are over a day old', async ({ db }) => {
    await db`insert into evalhub.idempotency_keys (tenant, route, key, body_hash, resource_id, expires_at)
      values ('red', 'jobs', 'old', '', '', now() - interval '1 s'), ('red', 'jobs', 'new', '', '', now() + interval '1 h')`
    await retain(db, { logDays: 0, evaluationDays: 0 })
    expect((await db`select key from evalhub.idempotency_keys`).map(({ key }) => key)).toEqual(['new'])
  })
})
