import { describe, expect } from 'vitest'
import { cancelEvaluation, deleteEvaluation } from './cancel-evaluation.ts'
import { claimLaunches } from './claim-launches.ts'
import { purgeEvaluations } from './purge-evaluation.ts'
import { recordLaunches } from './record-launch.ts'
import { settleRuns } from './settle-run.ts'
import { listPurgeableEvaluations } from '../queries/deleted-evaluations.ts'
import { listUnsettledRuns } from '../queries/unsettled-runs.ts'
import { specFor, storedRuns, submitSpecs } from '../test-evaluation.ts'
import { test as base } from '../test-db.ts'

const test = base.extend('rows', { auto: true }, async ({ db }) => {
  await db`truncate evalhub.evaluations cascade`
  return 'none'
})

const spec = specFor('true')
const operator = { tenant: '', user: '', everyTenant: true }
const now = '2026-01-01T00:00:00Z'
const keyOf = (evaluationId: string, benchmarkIndex = 0) => ({ evaluationId, benchmarkIndex, attempt: 1 })

describe('settleRuns', () => {
  test('marks what has ended, closes its attempt, and changes nothing that a client sees', async ({ db }) => {
    const id = await submitSpecs(db, [spec])
    const { claims } = await claimLaunches(db, { holder: 'bridge', limit: 9, leaseSeconds: 10 })
    await recordLaunches(db, 'bridge', claims.map((claim) => ({ ...claim, objectUid: 'pid:1' }))) // prettier-ignore
    await cancelEvaluation(db, operator, id, now)
    const [before] = await storedRuns(db, id)

    await settleRuns(db, [{ ...keyOf(id), launch: { holder: 'bridge', objectUid: 'pid:1', secondsAgo: 60 }, exitCode: 7 }])

    expect(await storedRuns(db, id)).toEqual([{ ...before, is_settled: true }])
    expect(await db`select exit_code, ended_at is not null as is_ended, launched_at > now() - interval '30 s' as is_kept from evalhub.attempts`)
      .toEqual([{ exit_code: 7, is_ended: true, is_kept: true }]) // prettier-ignore
    expect(await listUnsettledRuns(db, { present: [keyOf(id)], limit: 10, everyLaunched: true })).toEqual([])
  })

  test('leaves a run that goes on, and one that has another attempt', async ({ db }) => {
    const goesOn = await submitSpecs(db, [spec])
    const cancelled = await submitSpecs(db, [spec])
    await cancelEvaluation(db, operator, cancelled, now)

    await settleRuns(db, [keyOf(goesOn), { ...keyOf(cancelled), attempt: 2 }])

    expect(await storedRuns(db, goesOn)).toMatchObject([{ is_settled: false }])
    expect(await storedRuns(db, cancelled)).toMatchObject([{ is_settled: false }])
  })

  test('keeps the attempt of a run that had ended before its launch was recorded', async ({ db }) => {
    const id = await submitSpecs(db, [spec])
    await cancelEvaluation(db, operator, id, now)

    await settleRuns(db, [{ ...keyOf(id), launch: { holder: 'bridge', objectUid: 'pid:1', secondsAgo: 60 } }])

    expect(await db`select attempt, holder, launched_at < now() - interval '30 s' as is_earlier from evalhub.attempts`).toEqual([
      { attempt: 1, holder: 'bridge', is_earlier: true },
    ])
  })
})

describe('listUnsettledRuns', () => {
  test('has what was launched and what has ended, and not what waits', async ({ db }) => {
    const launched = await submitSpecs(db, [specFor('true', { deadline_seconds: 5 })], { secretRef: '/secrets/model' })
    const { claims } = await claimLaunches(db, { holder: 'bridge', limit: 9, leaseSeconds: 10 })
    await recordLaunches(db, 'bridge', claims.map((claim) => ({ ...claim, objectUid: 'pid:1' }))) // prettier-ignore
    const cancelled = await submitSpecs(db, [spec])
    await cancelEvaluation(db, operator, cancelled, now)
    await submitSpecs(db, [spec])

    const runs = await listUnsettledRuns(db, { present: [], limit: 10, everyLaunched: true })

    expect(runs).toHaveLength(2)
    expect(runs.find(({ evaluationId }) => evaluationId === launched)).toEqual({
      ...keyOf(launched),
      tenant: '',
      waiting: null,
      test: null,
      providerId: 'provider',
      benchmarkId: 'benchmark',
      state: 'pending',
      isDeleted: false,
      deadlineSeconds: 5,
      secretRef: '/secrets/model',
      finishedSecondsAgo: null,
      launch: { holder: 'bridge', objectUid: 'pid:1', secondsAgo: expect.any(Number), startedSecondsAgo: null },
    })
    expect(runs.find(({ evaluationId }) => evaluationId === cancelled)).toMatchObject({ state: 'cancelled', launch: null })
  })

  test('never cuts off what the runtime shows', async ({ db }) => {
    const ids = [await submitSpecs(db, [spec]), await submitSpecs(db, [spec]), await submitSpecs(db, [spec])]
    for (const id of ids) await cancelEvaluation(db, operator, id, now)

    const runs = await listUnsettledRuns(db, { present: [keyOf(ids[2]!)], limit: 1, everyLaunched: true })

    expect(runs.map(({ evaluationId }) => evaluationId).sort()).toEqual([ids[0], ids[2]])
  })
})

describe('purgeEvaluations', () => {
  test('removes a deleted job when its runs are settled, and not before', async ({ db }) => {
    const id = await submitSpecs(db, [spec])
    const kept = await submitSpecs(db, [spec])
    await deleteEvaluation(db, operator, id, now)
    expect(await listPurgeableEvaluations(db, 10)).toEqual([])
    await purgeEvaluations(db, [id, kept])
    expect(await storedRuns(db, id)).toHaveLength(1)

    await settleRuns(db, [keyOf(id)])
    expect(await listPurgeableEvaluations(db, 10)).toEqual([id])
    await purgeEvaluations(db, [id, kept])

    expect(await storedRuns(db, id)).toEqual([])
    expect(await storedRuns(db, kept)).toHaveLength(1)
  })
})
