import { describe, expect } from 'vitest'
import { specFor, storedRuns, submitSpecs } from '../test-evaluation.ts'
import { test } from '../test-db.ts'
import { findEvaluation } from '../queries/evaluations.ts'
import { cancelEvaluation, deleteEvaluation } from './cancel-evaluation.ts'
import { claimLaunches } from './claim-launches.ts'
import { endRun, type Failure } from './end-run.ts'
import { recordLaunches } from './record-launch.ts'
import { recordEvent } from './record-event.ts'
import { concludeAttempt } from './conclude-attempt.ts'
import type { Pool } from '../client.ts'
import { BenchmarkStatusEvent } from '#shared/models/event.ts'

const NOW = '2026-11-23T12:00:00Z'
const spec = specFor('true')
const failureOf = (evaluationId: string, attempt = 1): Failure => ({
  evaluationId,
  benchmarkIndex: 0,
  attempt,
  failureClass: 'adapter_exit',
  message: 'The adapter ended with exit code 7.',
  exitCode: 7,
})
const report = (db: Pool, evaluationId: string, status: string, more: object = {}) => {
  const event = BenchmarkStatusEvent.parse({ provider_id: 'provider', id: 'benchmark', status, ...more })
  return recordEvent(db, { evaluationId, event }, NOW)
}
/** What the holder of the attempt's run token reports. */
const reportAs = (db: Pool, evaluationId: string, attempt: number, status: string, more: object = {}) => {
  const event = BenchmarkStatusEvent.parse({ provider_id: 'provider', id: 'benchmark', status, ...more })
  return recordEvent(db, { evaluationId, event, attempt }, NOW)
}
const attemptsOf = (db: Pool, id: string) =>
  db`select attempt, failure_class, exit_code, ended_at is not null as is_over from evalhub.attempts where evaluation_id = ${id} order by attempt`

const again = (db: Pool, evaluationId: string, attempt = 1) =>
  concludeAttempt(db, { ...failureOf(evaluationId, attempt), failureClass: 'hub_restarted', isDisrupted: true }, NOW)

describe('concludeAttempt', () => {
  test('closes the attempt, sends the run back and queues it, and the job stays running', async ({ db, tenant }) => {
    const id = await submitSpecs(db, [spec], { tenant })
    const { claims } = await claimLaunches(db, { holder: 'b', limit: 10, leaseSeconds: 10 })
    await recordLaunches(
      db,
      'b',
      claims.map((claim) => ({ ...claim, objectUid: 'pid:1' })),
    )
    await report(db, id, 'running', { phase: 'loading_data', progress: 0.5, started_at: '2026-11-23T10:00:00Z' })

    expect(await again(db, id)).toBe('again')

    expect(await storedRuns(db, id)).toMatchObject([{ state: 'pending', attempt: 2, queued: 1, message: null }])
    expect(await attemptsOf(db, id)).toEqual([{ attempt: 1, failure_class: 'hub_restarted', exit_code: 7, is_over: true }])
    const job = await findEvaluation(db, { tenant, user: '', everyTenant: false }, id)
    expect(job?.status.state).toBe('running')
    expect(job?.status.benchmarks[0]).toEqual({
      provider_id: 'provider',
      id: 'benchmark',
      benchmark_index: 0,
      status: 'pending',
      started_at: '2026-11-23T10:00:00Z',
      effective_parameters: {},
    })
    await db`update evalhub.hub set bridge_seen_at = now()`
    const seen = await findEvaluation(db, { tenant, user: '', everyTenant: false }, id)
    expect(seen?.status.benchmarks[0]?.warning_message?.message).toBe('The adapter ended with exit code 7. Attempt 2 will be launched.')
    await db`update evalhub.hub set bridge_seen_at = null`
  })

  test.for([
    ['adapter_exit', 'failed', 1],
    ['vanished', 'pending', 2],
    ['oom', 'pending', 2],
  ] as const)('after %s the run is %s', async ([failureClass, state, attempt], { db, tenant }) => {
    const id = await submitSpecs(db, [spec], { tenant })
    await concludeAttempt(db, { ...failureOf(id), failureClass, isDisrupted: false }, NOW)
    expect(await storedRuns(db, id)).toMatchObject([{ state, attempt, queued: attempt - 1 }])
  })

  test('gives up after the third time that memory ran out, and says so', async ({ db, tenant }) => {
    const id = await submitSpecs(db, [spec], { tenant })
    for (const attempt of [1, 2, 3]) {
      await concludeAttempt(db, { ...failureOf(id, attempt), failureClass: 'oom', message: 'Too little.', isDisrupted: false }, NOW)
    }
    expect(await storedRuns(db, id)).toMatchObject([{ state: 'failed', attempt: 3, message: 'Too little. It was tried 3 times in all.' }])
  })

  test('takes the adapter’s words for the reason, unless the platform took the attempt away', async ({ db, tenant }) => {
    const words = { error_message: { message: 'The model is gone.', message_code: 'model' } }
    const [own, taken] = await Promise.all([submitSpecs(db, [spec], { tenant }), submitSpecs(db, [spec], { tenant })])
    for (const id of [own, taken]) {
      await reportAs(db, id, 1, 'failed', { ...words, metrics: { acc: 0.5 } })
      expect(await storedRuns(db, id)).toMatchObject([{ state: 'running', queued: 0 }])
    }
    expect(await concludeAttempt(db, { ...failureOf(own), isDisrupted: false }, NOW)).toBe('over')
    await concludeAttempt(db, { ...failureOf(taken), failureClass: 'evicted', isDisrupted: true }, NOW)
    expect(await storedRuns(db, own)).toMatchObject([{ state: 'failed', message: 'The model is gone.' }])
    expect(await attemptsOf(db, own)).toMatchObject([{ failure_class: 'adapter_exit', is_over: true }])
    const job = await findEvaluation(db, { tenant, user: '', everyTenant: false }, own)
    expect(job?.results.benchmarks?.[0]?.metrics).toEqual({ acc: 0.5 })
    expect(await storedRuns(db, taken)).toMatchObject([{ state: 'pending', attempt: 2, queued: 1 }])
  })

  test('is done once, however many ask at once', async ({ db, tenant }) => {
    const id = await submitSpecs(db, [spec], { tenant })
    const done = await Promise.all(Array.from({ length: 8 }, () => again(db, id)))
    expect(done.filter(Boolean)).toHaveLength(1)
    expect(await storedRuns(db, id)).toMatchObject([{ attempt: 2, queued: 1 }])
  })

  test('changes nothing of a run that has ended, of another attempt, or of a deleted job', async ({ db, tenant }) => {
    const scope = { tenant, user: '', everyTenant: false }
    const [ended, later, cancelled, deleted] = await Promise.all(Array.from({ length: 4 }, () => submitSpecs(db, [spec], { tenant })))
    await report(db, ended!, 'completed')
    await again(db, later!)
    await cancelEvaluation(db, scope, cancelled!, NOW)
    await deleteEvaluation(db, scope, deleted!, NOW)
    for (const id of [ended!, later!, cancelled!, deleted!]) {
      const before = await storedRuns(db, id)
      expect(await again(db, id)).toBeUndefined()
      expect(await storedRuns(db, id)).toEqual(before)
    }
    expect(await again(db, '01a20635-8300-7000-8292-c9397fa5a9fa')).toBeUndefined()
  })
})

describe('endRun', () => {
  test('ends the run in words, closes the attempt, and derives the job', async ({ db, tenant }) => {
    const id = await submitSpecs(db, [spec, spec], { tenant })
    await report(db, id, 'completed', { benchmark_index: 1 })

    expect(await endRun(db, failureOf(id), NOW)).toBe(true)

    expect(await storedRuns(db, id)).toMatchObject([
      { state: 'failed', message: 'The adapter ended with exit code 7.', queued: 0 },
      { state: 'completed' },
    ])
    const job = await findEvaluation(db, { tenant, user: '', everyTenant: false }, id)
    expect(job?.status).toMatchObject({
      state: 'partially_failed',
      message: {
        message: 'Some of the benchmarks failed. \nBenchmark benchmark failed with message: The adapter ended with exit code 7.\n',
      },
    })
    expect(job?.status.benchmarks[0]?.error_message).toMatchObject({ message_code: 'evaluation_job_failed', message_origin: 'server' })
  })

  // Guarantee: what the adapter reported first is never overwritten by what the bridge concludes.
  test('and a report at once agree on one end', async ({ db, tenant }) => {
    for (let round = 0; round < 10; round++) {
      const id = await submitSpecs(db, [spec], { tenant })
      const [ended, reported] = await Promise.all([
        endRun(db, failureOf(id), NOW),
        report(db, id, 'completed').then(
          () => true,
          () => false,
        ),
      ])
      expect(ended).toBe(!reported)
      expect(await storedRuns(db, id)).toMatchObject([{ state: ended ? 'failed' : 'completed' }])
    }
  })

  test('does not touch a later attempt', async ({ db, tenant }) => {
    const id = await submitSpecs(db, [spec], { tenant })
    await again(db, id)
    expect(await endRun(db, failureOf(id, 1), NOW)).toBe(false)
    expect(await storedRuns(db, id)).toMatchObject([{ state: 'pending', attempt: 2 }])
    expect(await endRun(db, failureOf(id, 2), NOW)).toBe(true)
  })
})
