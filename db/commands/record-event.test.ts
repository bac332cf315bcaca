import { describe, expect } from 'vitest'
import { HubError } from '#shared/errors.ts'
import { BenchmarkStatusEvent } from '#shared/models/event.ts'
import { connect } from '../client.ts'
import { findEvaluation } from '../queries/evaluations.ts'
import { UNBOUNDED } from '../reserve.ts'
import { forTenant, openStore } from '../store.ts'
import { specFor, storedRuns, submitSpecs } from '../test-evaluation.ts'
import { test } from '../test-db.ts'
import { claimLaunches } from './claim-launches.ts'
import { noteWarnings } from './note-warning.ts'
import { recordProgress } from './record-event.ts'
import { recordLaunches } from './record-launch.ts'

const NOW = '2026-11-23T12:00:00Z'
const spec = specFor('true')
const event = (status: string, more: object = {}) =>
  BenchmarkStatusEvent.parse({ provider_id: 'provider', id: 'benchmark', status, ...more })

describe('recordProgress', () => {
  // Guarantee: what a user is told at the launch of a run can be read until its end, whatever its adapter says.
  test('takes the place of no warning that was given at the launch', async ({ db, tenant }) => {
    const store = openStore(db)
    const evaluationId = await submitSpecs(db, [spec, spec], { tenant })
    const shown = async () =>
      (await findEvaluation(db, { tenant, user: '', everyTenant: false }, evaluationId))?.status.benchmarks[0]?.warning_message
    const say = (status: string, message: string) =>
      store.recordEvent({ evaluationId, event: event(status, { warning_message: { message, message_code: 'c' } }), attempt: 1 }, NOW)
    await noteWarnings(db, [{ evaluationId, benchmarkIndex: 0, attempt: 1, warning: 'ours' }])
    await store.recordEvent({ evaluationId, event: event('running') }, NOW)
    await say('running', 'one')
    expect(await shown()).toEqual({ message: 'ours\none', message_code: 'launch_warning', message_origin: 'server' })
    await say('running', 'two')
    await say('completed', 'three')
    expect(await shown()).toMatchObject({ message: expect.stringMatching(/^ours\nthree/) })
    await noteWarnings(db, [{ evaluationId, benchmarkIndex: 0, attempt: 1, warning: 'too late' }])
    await noteWarnings(db, [{ evaluationId, benchmarkIndex: 1, attempt: 7, warning: 'of another attempt' }])
    expect(await shown()).toMatchObject({ message: expect.stringMatching(/^ours\nthree/) })
    expect((await findEvaluation(db, { tenant, user: '', everyTenant: false }, evaluationId))?.status.benchmarks[1]).not.toHaveProperty(
      'warning_message',
    )
  })

  test('writes several runs in one statement, and says which it found running', async ({ db, tenant }) => {
    const store = openStore(db)
    const evaluationId = await submitSpecs(db, [spec, spec], { tenant })
    await store.recordEvent({ evaluationId, event: event('running') }, NOW)

    const written = await recordProgress(db, [
      { evaluationId, event: event('running', { id: 'third', phase: 'completed', progress: 0.2 }) },
      { evaluationId, event: event('running', { phase: 'post_processing', progress: 0.9 }) },
      { evaluationId: evaluationId.toUpperCase(), event: event('running', { phase: 'loading_data' }) },
      { evaluationId, event: event('running', { benchmark_index: 1 }) },
      { evaluationId, event: event('running', { benchmark_index: 2 ** 40 }) },
      { evaluationId, event: event('running', { id: 'another', phase: 'completed', progress: 0.1 }) },
    ])

    expect(written).toEqual([false, true, true, false, false, false])
    const job = await findEvaluation(db, { tenant, user: '', everyTenant: false }, evaluationId)
    expect(job?.status.benchmarks[0]).toMatchObject({ phase: 'post_processing', progress: 0.9 })
    expect(job?.status.benchmarks[1]?.status).toBe('pending')
  })

  // Guarantee: an event that was acknowledged is in the database, also when its batch had a bad one.
  test('of a thousand events at once loses none, and its neighbours’ mistakes stay theirs', async ({ db, tenant }) => {
    const store = openStore(db)
    const ids = await Promise.all(Array.from({ length: 20 }, () => submitSpecs(db, [spec], { tenant })))
    await Promise.all(ids.map((evaluationId) => store.recordEvent({ evaluationId, event: event('running') }, NOW)))

    const answers = await Promise.allSettled(
      Array.from({ length: 1000 }, (_, at) => {
        const bad = at % 50 === 7
        const more = { progress: (at + 1) / 1000, ...(bad && { id: 'another' }) }
        return store.recordEvent({ evaluationId: ids[at % 20]!, event: event('running', more) }, NOW)
      }),
    )

    expect(answers.filter(({ status }) => status === 'rejected')).toHaveLength(20)
    const rows = await db<{ progress: number }[]>`
      select progress from evalhub.runs where evaluation_id in (select jsonb_array_elements_text(${db.json(ids)})::uuid)`
    for (const { progress } of rows) expect(progress).toBeGreaterThan(0.95)
  })

  test('runs of one job report without waiting for its lock', async ({ db, tenant }) => {
    const store = openStore(db)
    const evaluationId = await submitSpecs(db, [spec], { tenant })
    await store.recordEvent({ evaluationId, event: event('running') }, NOW)
    await db.begin(async (tx) => {
      await tx`select from evalhub.evaluations where id = ${evaluationId} for update`
      await store.recordEvent({ evaluationId, event: event('running', { progress: 0.25 }) }, NOW)
    })
    const job = await findEvaluation(db, { tenant, user: '', everyTenant: false }, evaluationId)
    expect(job?.status.benchmarks[0]?.progress).toBe(0.25)
  })
})

describe('ends of runs', () => {
  test('that come at once are written together, each as if it had come alone', async ({ db, tenant }) => {
    const store = openStore(db)
    const ids = await Promise.all(Array.from({ length: 60 }, () => submitSpecs(db, [spec, spec], { tenant })))
    const ends = ids.flatMap((evaluationId, at) => [
      { evaluationId, event: event('completed', { benchmark_index: 1, metrics: { acc: at / 100 } }) },
      { evaluationId, event: event(at % 2 === 0 ? 'completed' : 'failed', { metrics: { acc: at / 100 } }) },
    ])

    await Promise.all(ends.map((end) => store.recordEvent(end, NOW)))

    for (const [at, id] of ids.entries()) {
      const job = await findEvaluation(db, { tenant, user: '', everyTenant: false }, id)
      expect(job?.status.state).toBe(at % 2 === 0 ? 'completed' : 'partially_failed')
      expect(job?.results.benchmarks).toMatchObject([{ metrics: { acc: at / 100 } }, { metrics: { acc: at / 100 } }])
      const changes = await db`select seq, benchmark_index as at, state from evalhub.job_events where evaluation_id = ${id} order by seq`
      const last = at % 2 === 0 ? ['completed', 'completed'] : ['failed', 'partially_failed']
      expect(changes.map(({ at: index, state }) => [index, state])).toEqual([
        [1, 'completed'],
        [null, 'running'],
        [0, last[0]],
        [null, last[1]],
      ])
    }
    const transactions = await db`
      select distinct xmin from evalhub.job_events where evaluation_id in (select jsonb_array_elements_text(${db.json(ids)})::uuid)`
    expect(transactions.length).toBeLessThan(20)
    expect(await db`select from evalhub.launch_queue where tenant = ${tenant}`).toHaveLength(0)
  })

  test('that are refused, or cannot be stored, keep no other from being written', async ({ db, tenant }) => {
    const store = openStore(db)
    const ids = await Promise.all(Array.from({ length: 30 }, () => submitSpecs(db, [spec], { tenant })))
    const all = ids.map((evaluationId, at) => {
      if (at === 11) return { evaluationId: crypto.randomUUID(), event: event('completed') }
      if (at === 12) return { evaluationId, event: event('completed', { id: 'another' }) }
      if (at === 13) return { evaluationId, event: event('completed'), attempt: 2 }
      if (at === 14) return { evaluationId, event: event('completed'), tenant: 'another' }
      // No such text in PostgreSQL; `decode` refuses it.
      if (at === 15) return { evaluationId, event: event('completed', { additional_info: { text: '\0' } }) }
      return { evaluationId, event: event('completed'), ...(at % 2 === 0 && { tenant, attempt: 1 }) }
    })

    const answers = await Promise.allSettled(all.map((one) => store.recordEvent(one, NOW)))
    const again = await Promise.allSettled(all.map((one) => store.recordEvent(one, NOW)))

    const refusals = (settled: typeof answers) =>
      settled.flatMap((answer, at) => (answer.status === 'rejected' ? [[at, answer.reason.code]] : []))
    const wrong = [
      [11, 'resource_not_found'],
      [12, 'resource_not_found'],
      [13, 'forbidden'],
      [14, 'resource_not_found'],
      [15, '22P05'],
    ]
    expect(refusals(answers)).toEqual(wrong)
    expect(refusals(again)).toEqual(ids.map((_, at) => wrong.find(([index]) => index === at) ?? [at, 'job_can_not_be_updated']))
  })

  test('of one run are decided in their order: the first end stays', async ({ db, tenant }) => {
    const store = openStore(db)
    const evaluationId = await submitSpecs(db, [spec, spec], { tenant })
    const said = [
      event('running'),
      event('completed', { metrics: { acc: 0.5 } }),
      event('failed'),
      event('running', { phase: 'completed' }),
    ]

    await Promise.all(said.map((one) => store.recordEvent({ evaluationId, event: one }, NOW)))

    const job = await findEvaluation(db, { tenant, user: '', everyTenant: false }, evaluationId)
    expect(job?.results.benchmarks).toMatchObject([{ metrics: { acc: 0.5 } }])
    expect(job?.status.benchmarks).toMatchObject([{ status: 'completed', progress: 1 }, { status: 'pending' }])
  })

  // Guarantee: everybody locks in one order, so nobody is ever made to give way.
  test('cause no deadlock among themselves, with cancels, deletes, progress and launches', async ({ databaseUrl, db, tenant }) => {
    const pools = [connect(databaseUrl), connect(databaseUrl)]
    const stores = pools.map((pool) => openStore(pool))
    const scope = { tenant, user: '', everyTenant: false }
    for (let round = 0; round < 4; round++) {
      const ids = await Promise.all(Array.from({ length: 40 }, () => submitSpecs(db, [spec, spec], { tenant })))
      const { claims } = await claimLaunches(db, { holder: 'bridge', limit: 200, leaseSeconds: 10 })
      const launched = claims.map((claim) => ({ ...claim, objectUid: 'uid' }))
      const work = stores.flatMap((store, at) => {
        const inOrder = at === 0 ? ids : ids.toReversed()
        return inOrder.flatMap((evaluationId, turn) => [
          store.recordEvent({ evaluationId, event: event('running', { benchmark_index: 1 - at }) }, NOW),
          store.recordEvent({ evaluationId, event: event('running', { benchmark_index: at, progress: 0.5 }) }, NOW),
          store.recordEvent({ evaluationId, event: event('completed', { benchmark_index: at }) }, NOW),
          ...(turn % 4 === at ? [forTenant(store, scope, UNBOUNDED).cancelEvaluation(evaluationId, NOW)] : []),
          ...(turn % 4 === 2 + at ? [forTenant(store, scope, UNBOUNDED).deleteEvaluation(evaluationId, NOW)] : []),
        ])
      })
      const answers = await Promise.allSettled([
        ...work,
        recordLaunches(
          db,
          'bridge',
          launched.filter((_, at) => at % 2 === 0),
        ),
        recordLaunches(db, 'bridge', launched.filter((_, at) => at % 2 === 1).toReversed()),
      ])
      const failures = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
      expect(failures.filter((failure) => !(failure instanceof HubError))).toEqual([])
    }
    // A session reports its deadlocks at its end at the latest. A batch that had one would have been repeated, unseen.
    await Promise.all(pools.map((pool) => pool.end()))
    const [row] = await db<{ deadlocks: number }[]>`select deadlocks from pg_stat_database where datname = current_database()`
    expect(row?.deadlocks).toBe(0)
  })
})

test('events of a job are numbered without gaps, one for each change of a state', async ({ db, tenant }) => {
  const store = openStore(db)
  const evaluationId = await submitSpecs(db, Array(10).fill(spec), { tenant })
  const steps = Array.from({ length: 10 }, (_, benchmark_index) => benchmark_index).flatMap((benchmark_index) =>
    ['running', 'completed'].map((status) => event(status, { benchmark_index })),
  )
  // Those that come after the last run's end are refused.
  await Promise.allSettled(steps.map((one) => store.recordEvent({ evaluationId, event: one }, NOW)))

  const rows = await db<{ seq: number; state: string }[]>`
    select seq, state from evalhub.job_events where evaluation_id = ${evaluationId} order by seq`
  expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, at) => at + 1))
  expect(rows.filter(({ state }) => state === 'completed')).toHaveLength(11) // ten runs and the job
  expect((await storedRuns(db, evaluationId)).every(({ state }) => state === 'completed')).toBe(true)
})

describe('recordEvent', () => {
  const artifacts = (mib: number) => ({ artifacts: { text: 'x'.repeat(mib * 1024 * 1024) } })

  // Guarantee: no job grows beyond what can be read again.
  test('refuses more than a run or its job may keep, keeps nothing of it, and takes less', async ({ db, tenant }) => {
    const store = openStore(db)
    const evaluationId = await submitSpecs(db, [spec, spec, spec, spec], { tenant })
    const end = (index: number, mib: number) =>
      store.recordEvent({ evaluationId, event: event('completed', { benchmark_index: index, ...artifacts(mib) }) }, NOW)
    await expect(end(0, 8.1)).rejects.toMatchObject({
      code: 'request_validation_failed',
      message: expect.stringContaining('benchmark 0 come to 8.1 MiB'),
    })
    await end(0, 7.5)
    await end(1, 7.5)
    await expect(end(2, 5.5)).rejects.toThrow('its job has 15.0 MiB already, and at most 20.0 MiB of a job are kept')
    await end(2, 4.5)
    const [first, , third, fourth] = await storedRuns(db, evaluationId)
    expect([first?.state, third?.state, fourth?.state]).toEqual(['completed', 'completed', 'pending'])
    await expect(end(3, 1)).rejects.toThrow('its job has 19.5 MiB already')
    // Which still can be said of it.
    const refused = { message: 'm'.repeat(2000), message_code: 'report_refused' }
    await store.recordEvent({ evaluationId, event: event('failed', { benchmark_index: 3, error_message: refused }) }, NOW)
    expect((await storedRuns(db, evaluationId))[3]).toMatchObject({ state: 'failed', message: refused.message })
  })

  test('knows the footprint of a job: never less than its answer, messages of progress included', async ({ db, tenant }) => {
    const store = openStore(db)
    const evaluationId = await submitSpecs(db, [spec, spec], { tenant })
    const footprintOf = async () => {
      const [row] = await db<{ footprint: number }[]>`select footprint from evalhub.evaluations where id = ${evaluationId}`
      const job = await findEvaluation(db, { tenant, user: '', everyTenant: false }, evaluationId)
      expect(row!.footprint).toBeGreaterThanOrEqual(JSON.stringify(job).length)
      return row!.footprint
    }
    const message = (length: number) => ({ message: '\u{1f600}'.repeat(length / 4), message_code: 'code' })
    const report = (status: string, more: object = {}) => store.recordEvent({ evaluationId, event: event(status, more) }, NOW)
    const before = await footprintOf()
    await report('running')
    await report('running', { warning_message: message(200), progress: 0.5 })
    expect(await footprintOf()).toBe(before)
    await report('running', { warning_message: message(16_000) })
    const long = await footprintOf()
    expect(long).toBeGreaterThan(before + 16_000)
    await report('running', { warning_message: message(200) })
    expect(await footprintOf()).toBeLessThan(long)
    await report('running', { warning_message: message(4000), error_message: message(4000) })
    const metrics = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`metric ${at}`, 1e300]))
    await report('completed', { metrics, additional_info: { list: [1, 2, 3] } })
    expect(await footprintOf()).toBeGreaterThan(before + 8000)
  })
})
