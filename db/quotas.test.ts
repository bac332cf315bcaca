import { describe, expect } from 'vitest'
import { BenchmarkStatusEvent } from '#shared/models/event.ts'
import { connect, type Pool } from './client.ts'
import { appendLog } from './commands/append-log.ts'
import { clearLog } from './commands/clear-log.ts'
import { concludeAttempt } from './commands/conclude-attempt.ts'
import { createEvaluations, type NewEvaluation } from './commands/create-evaluation.ts'
import { expireLogs } from './commands/expire.ts'
import { UNBOUNDED } from './reserve.ts'
import { forTenant, openStore } from './store.ts'
import { test } from './test-db.ts'
import { LARGE, newId, newJob, NO_QUOTAS, outcomeOf, stopClock, usageOf } from './test-quotas.ts'

const NOW = '2026-11-23T12:00:00Z'

const nextMinute = (db: Pool, tenant: string) => db`update evalhub.submit_rates set minute = '-infinity' where tenant = ${tenant}`

describe('quotas', () => {
  // Guarantee: what one statement refuses hurts neither what comes with it nor what comes after it.
  test('refuse in one statement each job that does not fit, and store every other, in their order', async ({ db, tenant }) => {
    const other = `${tenant}-other`
    const inputs = [
      newJob(tenant, { runs: 2 }),
      newJob(tenant, { runs: 9 }),
      newJob(other, { runs: 9 }),
      newJob(tenant, { runs: 2 }),
      newJob(tenant, { runs: 2 }),
      newJob(tenant, { runs: 1 }),
      newJob(tenant, { runs: 1 }),
    ]
    const created = await createEvaluations(db, inputs, { quotas: { ...NO_QUOTAS, openRuns: 5 } })
    expect(created.map(outcomeOf)).toEqual(['stored', 'open_runs', 'open_runs', 'stored', 'open_runs', 'stored', 'open_runs'])
    expect(created[4]).toEqual({ excess: { quota: 'open_runs', used: 4, asked: 2, allowed: 5, waitSeconds: expect.any(Number) } })
    expect(await usageOf(db, tenant)).toEqual({ runs: 5, bytes: 0 })
    expect(await db`select from evalhub.runs join evalhub.evaluations on id = evaluation_id where tenant = ${tenant}`).toHaveLength(5)
    expect((await createEvaluations(db, [newJob(other)], { quotas: { ...NO_QUOTAS, openRuns: 5 } })).map(outcomeOf)).toEqual(['stored'])
  })

  // Guarantee: neither many requests nor many processes get in together what they would not get in one after the other.
  test.for([
    ['open_runs', { openRuns: 20 }],
    ['jobs_per_minute', { jobsPerMinute: 20 }],
    ['stored_bytes', { storedBytes: 20_000 }],
  ] as const)(
    '%s is taken up exactly by submits that come at once to several processes',
    async ([quota, bound], { databaseUrl, db, tenant }) => {
      const pools = Array.from({ length: 3 }, () => connect(databaseUrl, { max: 4 }))
      const stores = pools.map((pool) => openStore(pool, { ...NO_QUOTAS, ...bound }))
      await stopClock(db, tenant)
      const submits = Array.from({ length: 60 }, (_, at) => stores[at % 3]!.create(newJob(tenant, { bytes: 1000 })))
      // Beside them, statements that nothing gathers.
      const alone = Array.from({ length: 20 }, (_, at) =>
        createEvaluations(pools[at % 3]!, [newJob(tenant, { bytes: 1000 })], { quotas: { ...NO_QUOTAS, ...bound } }),
      )
      const outcomes = [...(await Promise.all(submits)), ...(await Promise.all(alone)).flat()].map(outcomeOf)
      await Promise.all(pools.map((pool) => pool.end()))
      expect(outcomes.filter((outcome) => outcome === 'stored')).toHaveLength(20)
      expect(outcomes.filter((outcome) => outcome === quota)).toHaveLength(60)
      expect(await usageOf(db, tenant)).toEqual({ runs: 20, bytes: 20_000 })
    },
  )

  // Guarantee: what takes seconds to store is judged no less, beside small ones and others like it.
  test('are taken up exactly by large jobs and small ones together, and what is refused leaves nothing', async ({
    databaseUrl,
    db,
    tenant,
  }) => {
    const pools = Array.from({ length: 3 }, () => connect(databaseUrl, { max: 4 }))
    const stores = pools.map((pool) => openStore(pool, { ...NO_QUOTAS, openRuns: 20 }))
    const sizeOf = (at: number) => ({ runs: 2, bytes: at % 2 ? LARGE : 1000, ...(at % 4 === 3 && { key: `k${at}` }) })
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, async (_, at) => outcomeOf(await stores[at % 3]!.create(newJob(tenant, sizeOf(at))))),
    )
    await Promise.all(pools.map((pool) => pool.end()))
    expect(outcomes.filter((outcome) => outcome === 'stored')).toHaveLength(10)
    expect(outcomes.filter((outcome) => outcome === 'open_runs')).toHaveLength(30)
    expect(await usageOf(db, tenant)).toMatchObject({ runs: 20 })
    expect(await db`select from evalhub.runs join evalhub.evaluations on id = evaluation_id where tenant = ${tenant}`).toHaveLength(20)
    expect(await db`select from evalhub.evaluations where tenant = ${tenant} and deleted_at is not null`).toEqual([])
    const stored = outcomes.filter((outcome, at) => outcome === 'stored' && at % 4 === 3)
    expect(await db`select from evalhub.idempotency_keys where tenant = ${tenant}`).toHaveLength(stored.length)
    expect(await db`select jobs from evalhub.submit_rates where tenant = ${tenant}`).toEqual([{ jobs: expect.any(Number) }])
  })

  test('of jobs a minute count large ones as others', async ({ db, tenant }) => {
    const { create } = openStore(db, { ...NO_QUOTAS, jobsPerMinute: 2 })
    await stopClock(db, tenant)
    const large = () => newJob(tenant, { bytes: LARGE })
    expect([await create(large()), await create(newJob(tenant)), await create(large())].map(outcomeOf)).toEqual([
      'stored',
      'stored',
      'jobs_per_minute',
    ])
    expect(await usageOf(db, tenant)).toEqual({ runs: 2, bytes: LARGE })
  })

  test('count no job twice that is asked for again with its key, and answer it also when they are used up', async ({ db, tenant }) => {
    const quotas = { ...NO_QUOTAS, jobsPerMinute: 2 }
    await stopClock(db, tenant)
    const create = async (...jobs: NewEvaluation[]) => (await createEvaluations(db, jobs, { quotas })).map(outcomeOf)
    expect(await create(newJob(tenant, { key: 'a' }), newJob(tenant, { key: 'b' }), newJob(tenant, { key: 'c' }))).toEqual([
      'stored',
      'stored',
      'jobs_per_minute',
    ])
    expect(await create(newJob(tenant, { key: 'a' }), newJob(tenant, { key: 'b' }), newJob(tenant))).toEqual([
      'known',
      'known',
      'jobs_per_minute',
    ])
    await nextMinute(db, tenant)
    // What was refused left no key behind.
    expect(await create(newJob(tenant, { key: 'a' }), newJob(tenant, { key: 'c' }), newJob(tenant), newJob(tenant))).toEqual([
      'known',
      'stored',
      'stored',
      'jobs_per_minute',
    ])
  })

  test('of jobs a minute begin anew with the next minute, and say when that is', async ({ db, tenant }) => {
    const quotas = { ...NO_QUOTAS, jobsPerMinute: 1 }
    const [, refused] = await createEvaluations(db, [newJob(tenant), newJob(tenant)], { quotas })
    expect(refused).toMatchObject({ excess: { used: 1, allowed: 1 } })
    const { waitSeconds } = (refused as { excess: { waitSeconds: number } }).excess
    expect(waitSeconds).toBeGreaterThan(0)
    expect(waitSeconds).toBeLessThanOrEqual(60)
    await nextMinute(db, tenant)
    expect((await createEvaluations(db, [newJob(tenant), newJob(tenant)], { quotas })).map(outcomeOf)).toEqual([
      'stored',
      'jobs_per_minute',
    ])
  })
})

const event = (status: string, index: number, more: object = {}) =>
  BenchmarkStatusEvent.parse({ provider_id: 'provider', id: 'benchmark', benchmark_index: index, status, ...more })

const piece = (evaluationId: string, seq: number, length: number) => ({
  evaluationId,
  benchmarkIndex: 0,
  attempt: 1,
  container: 'local',
  seq,
  chunk: new Uint8Array(length),
  bytes: length,
  startByte: 0,
  firstAtMs: 0,
  lastAtMs: 0,
})

describe('what a tenant has of its quotas', () => {
  test('are the runs that have not ended, however they end, and those that are tried again', async ({ db, tenant }) => {
    const store = openStore(db)
    const own = forTenant(store, { tenant, user: 'ann', everyTenant: false }, UNBOUNDED)
    const jobs = [newJob(tenant, { runs: 3 }), newJob(tenant, { runs: 2 }), newJob(tenant, { runs: 2 })]
    await createEvaluations(db, jobs)
    const [first = '', second = '', third = ''] = jobs.map(({ id }) => id)
    const runs = async () => (await usageOf(db, tenant))?.runs
    expect(await runs()).toBe(7)
    await store.recordEvent({ evaluationId: first, event: event('running', 0) }, NOW)
    expect(await runs()).toBe(7)
    await store.recordEvent({ evaluationId: first, event: event('completed', 0, { metrics: { acc: 1 } }) }, NOW)
    await store.recordEvent({ evaluationId: first, event: event('failed', 1) }, NOW)
    expect(await runs()).toBe(5)
    const attempt = { evaluationId: first, benchmarkIndex: 2, attempt: 1 }
    await concludeAttempt(db, { ...attempt, failureClass: 'evicted', message: 'm', isDisrupted: true }, NOW)
    expect(await runs()).toBe(5)
    await own.cancelEvaluation(second, NOW)
    expect(await runs()).toBe(3)
    await own.deleteEvaluation(third, NOW)
    await own.cancelEvaluation(first, NOW)
    expect(await runs()).toBe(0)
  })

  test('are the bytes of requests, snapshots, results and logs, until they are deleted or expire', async ({ db, tenant }) => {
    const store = openStore(db)
    const one = { ...newJob(tenant, { bytes: 1000 }), footprint: 5000 }
    const two = newJob(tenant, { bytes: 70 })
    await createEvaluations(db, [one, two])
    const bytes = async () => (await usageOf(db, tenant))?.bytes
    expect(await bytes()).toBe(6070)
    for (const [seq, length] of [100, 200, 300].entries()) await appendLog(db, piece(one.id, seq, length))
    expect(await bytes()).toBe(6670)
    // As when the answer was lost.
    await appendLog(db, { ...piece(one.id, 2, 350), times: new Uint8Array(50) })
    expect(await bytes()).toBe(6770)
    await appendLog(db, { ...piece(one.id, 0, 10), attempt: 2 })
    await clearLog(db, { evaluationId: one.id, benchmarkIndex: 0, attempt: 2 })
    await clearLog(db, { evaluationId: one.id, benchmarkIndex: 0, attempt: 2 })
    expect(await bytes()).toBe(6770)
    await store.recordEvent({ evaluationId: one.id, event: event('completed', 0, { artifacts: { a: 'x'.repeat(3000) } }) }, NOW)
    const [stored] = await db<{ footprint: number }[]>`select footprint from evalhub.evaluations where id = ${one.id}`
    expect(stored?.footprint).toBeGreaterThan(8000)
    expect(await bytes()).toBe(1000 + 70 + 700 + (stored?.footprint ?? 0))

    const old = { ...newJob(tenant), id: `00000001${newId().slice(8)}` }
    await createEvaluations(db, [old])
    await appendLog(db, piece(old.id, 0, 40))
    expect(await bytes()).toBe(1110 + 700 + (stored?.footprint ?? 0))
    expect(await expireLogs(db, 1, 10)).toBe(1)
    expect(await bytes()).toBe(1070 + 700 + (stored?.footprint ?? 0))
    await forTenant(store, one.scope, UNBOUNDED).deleteEvaluation(one.id, NOW)
    expect(await bytes()).toBe(70)
  })

  // Guarantee: nothing that was begun is lost because its tenant has no room left.
  test('refuse no result and no log of a job that was submitted', async ({ db, tenant }) => {
    const quotas = { ...NO_QUOTAS, storedBytes: 2000 }
    const store = openStore(db, quotas)
    const own = forTenant(store, { tenant, user: 'ann', everyTenant: false }, UNBOUNDED)
    const first = newJob(tenant, { bytes: 1999 })
    await own.createEvaluation(first)
    await appendLog(db, piece(first.id, 0, 5000))
    await store.recordEvent({ evaluationId: first.id, event: event('completed', 0, { artifacts: { a: 'x'.repeat(5000) } }) }, NOW)
    expect(await own.findEvaluation(first.id)).toMatchObject({
      status: { state: 'completed' },
      results: { benchmarks: [{ artifacts: {} }] },
    })
    const refused = {
      code: 'quota_exceeded',
      retryAfterSeconds: 3600,
      message: expect.stringMatching(/stored_bytes .*its quota is 0\.0 MiB\. Delete/),
    }
    await expect(own.createEvaluation(newJob(tenant))).rejects.toMatchObject(refused)
    await own.deleteEvaluation(first.id, NOW)
    expect(await own.createEvaluation(newJob(tenant))).toMatchObject({ status: { state: 'pending' } })
  })
})

describe('providers and collections of a tenant', () => {
  const provider = { name: 'p', title: '', description: '' }
  const collection = { name: 'c', category: 'c', description: '', benchmarks: [{ id: 'b', provider_id: 'p' }] }

  test('are as many as the quota at most, also of those that are created at once, and can be changed and replaced then', async ({
    db,
    tenant,
  }) => {
    const own = forTenant(openStore(db, { ...NO_QUOTAS, catalogueEntries: 5 }), { tenant, user: 'ann', everyTenant: false }, UNBOUNDED)
    const key = { key: 'k', bodyHash: 'h' }
    await own.createProvider('quota-first', provider, key)
    const made = await Promise.allSettled(
      Array.from({ length: 20 }, (_, at) =>
        at % 2 ? own.createProvider(`quota-p${at}`, provider, undefined) : own.createCollection(`quota-c${at}`, collection, undefined),
      ),
    )
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(4)
    expect(made.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: {
        code: 'quota_exceeded',
        message: expect.stringMatching(/catalogue_entries .*it has 5 providers and collections; its quota is 5/),
      },
    })
    expect((await own.createProvider('another', provider, key)).resource.id).toBe('quota-first')
    await own.changeProvider('quota-first', (config) => ({ ...config, title: 't' }))
    await own.deleteProvider('quota-first')
    expect((await own.createCollection('quota-last', collection, undefined)).resource.id).toBe('quota-last')
  })
})
