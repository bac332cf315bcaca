import { describe, expect } from 'vitest'
import type { Pool } from '../client.ts'
import { claimLaunches, type Look } from './claim-launches.ts'
import { cancelEvaluation } from './cancel-evaluation.ts'
import { deferLaunches } from './defer-launch.ts'
import { endRun } from './end-run.ts'
import { recordLaunches } from './record-launch.ts'
import { specFor, storedRuns, submitSpecs } from '../test-evaluation.ts'
import { test as base } from '../test-db.ts'

/** Claims see all tenants, so each test begins with an empty queue. */
const test = base.extend('queue', { auto: true }, async ({ db }) => {
  await db`truncate evalhub.evaluations cascade`
  return 'empty'
})

const claim = { holder: 'bridge-a', limit: 100, leaseSeconds: 10 }
const claimsOf = async (...args: Parameters<typeof claimLaunches>) => (await claimLaunches(...args)).claims
const spec = specFor('true')
const launchedFrom = (claims: Awaited<ReturnType<typeof claimsOf>>) => claims.map((claimed) => ({ ...claimed, objectUid: 'pid:1' }))

describe('claimLaunches', () => {
  test('answers all that a launch needs', async ({ db, tenant }) => {
    const evaluationId = await submitSpecs(db, [spec, spec], { tenant })

    const claims = await claimsOf(db, claim)

    expect(claims).toHaveLength(2)
    expect(claims.find(({ benchmarkIndex }) => benchmarkIndex === 1)).toMatchObject({ evaluationId, tenant, attempt: 1, tries: 1, spec })
    expect(claims[0]?.request.model.name).toBe('toy')
    expect(Math.abs((claims[0]?.dueAtMs ?? 0) - Date.now())).toBeLessThan(60_000)
  })

  test('gives each row to one bridge only, whatever the number of bridges', async ({ db, tenant }) => {
    await submitSpecs(db, Array(30).fill(spec), { tenant })

    const claims = await Promise.all(Array.from({ length: 6 }, (_, at) => claimsOf(db, { ...claim, holder: `bridge-${at}`, limit: 10 })))

    const ids = claims.flat().map(({ queueId }) => queueId)
    expect(ids).toHaveLength(30)
    expect(new Set(ids).size).toBe(30)
  })

  // Guarantee: what a dead bridge had claimed is neither lost nor launched twice.
  test('takes over a lease that ran out, and only that', async ({ db, tenant }) => {
    await submitSpecs(db, [spec], { tenant })
    const [dead] = await claimsOf(db, { ...claim, leaseSeconds: 0 })

    const [again] = await claimsOf(db, { ...claim, holder: 'bridge-b' })

    expect(again).toMatchObject({ queueId: dead?.queueId, attempt: 1, tries: 2 })
    expect(await claimsOf(db, claim)).toEqual([])
  })

  test('serves the tenant with the fewest runs under way first', async ({ db }) => {
    await submitSpecs(db, Array(5).fill(spec), { tenant: 'large' })
    await recordLaunches(db, 'bridge-a', launchedFrom(await claimsOf(db, { ...claim, limit: 3 })))
    await submitSpecs(db, Array(4).fill(spec), { tenant: 'small' })

    const claims = await claimsOf(db, { ...claim, limit: 4 })

    expect(claims.map(({ tenant }) => tenant).sort()).toEqual(['large', 'small', 'small', 'small'])
  })

  test('takes turns among tenants, and the oldest of each first', async ({ db }) => {
    const first = await submitSpecs(db, [spec, spec], { tenant: 'one' })
    await submitSpecs(db, [spec, spec], { tenant: 'one' })
    await submitSpecs(db, [spec], { tenant: 'two' })

    const claims = await claimsOf(db, { ...claim, limit: 3 })

    expect(claims.map(({ tenant }) => tenant).sort()).toEqual(['one', 'one', 'two'])
    expect(claims.filter(({ tenant }) => tenant === 'one').every(({ evaluationId }) => evaluationId === first)).toBe(true)
  })

  // Guarantee: however much one tenant asks for, another gets the next slot.
  test('a tenant with 10,000 queued runs does not hold up one with a single run, whatever the limits leave', async ({ db }) => {
    for (let jobs = 0; jobs < 10; jobs++) await submitSpecs(db, Array(1000).fill(spec), { tenant: 'large' })
    const limits = { perTenant: 8, total: 10 }
    await recordLaunches(db, 'bridge-a', launchedFrom(await claimsOf(db, { ...claim, limits })))
    const one = await submitSpecs(db, [spec], { tenant: 'small' })

    const claims = await claimsOf(db, { ...claim, limits, limit: 1 })

    expect(claims.map(({ evaluationId }) => evaluationId)).toEqual([one])
  })

  test.for([
    { limits: { perTenant: 4, total: 100 }, reached: { tenant: 4, all: 8 } },
    { limits: { perTenant: 100, total: 10 }, reached: { all: 10 } },
  ])('keeps limits $limits over any number of bridges that claim, launch and end at once', async ({ limits, reached }, { db }) => {
    for (const tenant of ['one', 'two']) await submitSpecs(db, Array(60).fill(spec), { tenant })
    const most = { tenant: 0, all: 0 }
    const look = async () => {
      const counts = await db<{ count: number }[]>`
        select count(*)::int as count from (
          select tenant from evalhub.attempts join evalhub.evaluations on id = evaluation_id where ended_at is null
          union all select tenant from evalhub.launch_queue where lease_expires_at > now()
        ) as under_way group by tenant`
      most.tenant = Math.max(most.tenant, ...counts.map(({ count }) => count))
      most.all = Math.max(
        most.all,
        counts.reduce((sum, { count }) => sum + count, 0),
      )
    }
    const bridge = async (_: unknown, at: number) => {
      let since: Look | undefined
      for (let round = 0; round < 8; round++) {
        const { claims, look: seen } = await claimLaunches(db, { ...claim, holder: `bridge-${at}`, limits, since })
        since = seen
        await recordLaunches(db, `bridge-${at}`, launchedFrom(claims))
        await look()
        await db`
          update evalhub.attempts set ended_at = now(), changed_in = pg_current_xact_id() where (evaluation_id, benchmark_index) in (
            select evaluation_id, benchmark_index from evalhub.attempts where ended_at is null and holder = ${`bridge-${at}`} limit 1)`
      }
    }
    await Promise.all(Array.from({ length: 4 }, bridge))
    expect(most).toMatchObject(reached)
  })
})

/** Two bridges; the second goes on from what it has seen, before anything is due. */
async function goOn(db: Pool, options: Partial<Parameters<typeof claimLaunches>[1]> = {}) {
  let since: Look | undefined
  const next = async () => {
    const { claims, look } = await claimLaunches(db, { ...claim, ...options, since })
    since = look
    return claims
  }
  await next()
  return next
}

describe('a claim that goes on', () => {
  test('finds what was submitted since, of tenants known and new', async ({ db }) => {
    await submitSpecs(db, [spec], { tenant: 'known' })
    const next = await goOn(db)
    await submitSpecs(db, [spec], { tenant: 'known' })
    await submitSpecs(db, [spec], { tenant: 'another' })
    await submitSpecs(db, [spec], { tenant: 'new' })

    expect((await next()).map(({ tenant }) => tenant).sort()).toEqual(['another', 'known', 'new'])
    expect(await next()).toEqual([])
  })

  test('takes what it left before what came since', async ({ db, tenant }) => {
    const first = await submitSpecs(db, [spec, spec, spec], { tenant })
    const next = await goOn(db, { limit: 2 })
    const second = await submitSpecs(db, [spec, spec], { tenant })

    expect((await next()).map(({ evaluationId }) => evaluationId).sort()).toEqual([first, second].sort())
    expect((await next()).map(({ evaluationId }) => evaluationId)).toEqual([second])
  })

  // Guarantee: a submit that is slow to commit is not passed over, whatever became due and was claimed meanwhile.
  test('finds a row whose transaction had begun before the last look, and is committed after it', async ({ db, tenant }) => {
    const next = await goOn(db)
    const [begun, commit] = [Promise.withResolvers<string>(), Promise.withResolvers<void>()]
    const late = db.begin(async (tx) => {
      const id = await submitSpecs(tx as unknown as Pool, [spec], { tenant })
      begun.resolve(id)
      await commit.promise
    })
    const id = await begun.promise
    await submitSpecs(db, [spec], { tenant })
    expect(await next()).toHaveLength(1)
    expect(await next()).toEqual([])
    commit.resolve()
    await late

    expect((await next()).map(({ evaluationId }) => evaluationId)).toEqual([id])
  })

  test('finds a row that is due again before those it has seen', async ({ db, tenant }) => {
    await submitSpecs(db, [spec], { tenant })
    const next = await goOn(db, { leaseSeconds: 10 })
    const [row] = await db<{ id: number }[]>`select id from evalhub.launch_queue`
    await deferLaunches(db, 'bridge-a', [{ queueId: row?.id ?? 0, delaySeconds: -3600, reason: 'the clock was set back' }])

    expect((await next()).map(({ queueId }) => queueId)).toEqual([row?.id])
  })

  test('finds rows whose lease has run out, its own and of another bridge', async ({ db, tenant }) => {
    await submitSpecs(db, [spec], { tenant })
    const next = await goOn(db, { leaseSeconds: 0 })
    expect(await next()).toMatchObject([{ tries: 2 }])
    await submitSpecs(db, [spec], { tenant })
    await claimsOf(db, { ...claim, holder: 'bridge-b', leaseSeconds: 0 })

    expect((await next()).map(({ tries }) => tries).sort()).toEqual([2, 4])
  })

  // A cancel that fails leaves the row as it was, and nothing tells that it was locked.
  test('finds a row that was locked at the last look', async ({ db, tenant }) => {
    await submitSpecs(db, [spec, spec], { tenant })
    const [locked, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const holder = db.begin(async (tx) => {
      await tx`select from evalhub.launch_queue order by id limit 1 for update`
      locked.resolve()
      await release.promise
    })
    await locked.promise
    const next = await goOn(db)
    expect(await next()).toEqual([])
    release.resolve()
    await holder

    expect(await next()).toHaveLength(1)
  })

  test('counts what others have launched, leased and ended since', async ({ db, tenant }) => {
    await submitSpecs(db, Array(20).fill(spec), { tenant })
    const limits = { perTenant: 4, total: 100 }
    const next = await goOn(db, { limits, limit: 1 })
    const others = await claimsOf(db, { ...claim, holder: 'bridge-b', limit: 2 })
    expect(await next()).toHaveLength(1)
    expect(await next()).toEqual([])
    await recordLaunches(db, 'bridge-b', launchedFrom(others).slice(0, 1))
    expect(await next()).toEqual([])
    await endRun(db, { ...others[0]!, failureClass: 'oom', message: 'over' }, new Date().toISOString())

    expect(await next()).toHaveLength(1)
    expect(await next()).toEqual([])
  })

  // Guarantee: a database that was restored from a dump has rows whose transactions are yet to come, and limits hold there as elsewhere.
  test('counts what was restored from another server once, and no more once it has ended', async ({ db, tenant }) => {
    await submitSpecs(db, Array(20).fill(spec), { tenant })
    const restored = await claimsOf(db, { ...claim, holder: 'bridge-b', limit: 2 })
    await recordLaunches(db, 'bridge-b', launchedFrom(restored))
    await db`update evalhub.attempts set changed_in = '9000000000000', launched_in = '9000000000000'`
    await db`update evalhub.launch_queue set changed_in = '9000000000000'`
    const next = await goOn(db, { limits: { perTenant: 4, total: 100 }, limit: 1 })

    expect(await next()).toHaveLength(1)
    expect(await next()).toEqual([])
    for (const one of restored) await endRun(db, { ...one, failureClass: 'oom', message: 'over' }, new Date().toISOString())
    expect([await next(), await next(), await next()].map(({ length }) => length)).toEqual([1, 1, 0])
  })

  test('counts nothing twice of an attempt that was launched and has ended between two looks', async ({ db, tenant }) => {
    await submitSpecs(db, Array(20).fill(spec), { tenant })
    const next = await goOn(db, { limits: { perTenant: 2, total: 100 }, limit: 1 })
    const others = await claimsOf(db, { ...claim, holder: 'bridge-b', limit: 8 })
    await recordLaunches(db, 'bridge-b', launchedFrom(others))
    for (const one of others) await endRun(db, { ...one, failureClass: 'oom', message: 'over' }, new Date().toISOString())

    expect(await next()).toHaveLength(1)
    expect(await next()).toEqual([])
  })
})

describe('recordLaunches', () => {
  test('takes the row off the queue and keeps the attempt', async ({ db, tenant }) => {
    const id = await submitSpecs(db, [spec], { tenant })
    const claims = await claimsOf(db, claim)

    const own = await recordLaunches(db, 'bridge-a', launchedFrom(claims))

    expect([...own]).toEqual(claims.map(({ queueId }) => queueId))
    expect(await storedRuns(db, id)).toMatchObject([{ state: 'pending', queued: 0 }])
    expect(await db`select attempt, holder, object_uid, ended_at from evalhub.attempts where evaluation_id = ${id}`).toEqual([
      { attempt: 1, holder: 'bridge-a', object_uid: 'pid:1', ended_at: null },
    ])
  })

  test('writes nothing for a row that another bridge has taken over', async ({ db, tenant }) => {
    const id = await submitSpecs(db, [spec], { tenant })
    const claims = await claimsOf(db, { ...claim, leaseSeconds: 0 })
    await claimsOf(db, { ...claim, holder: 'bridge-b' })

    expect([...(await recordLaunches(db, 'bridge-a', launchedFrom(claims)))]).toEqual([])

    expect(await storedRuns(db, id)).toMatchObject([{ queued: 1 }])
    expect(await db`select from evalhub.attempts where evaluation_id = ${id}`).toHaveLength(0)
  })

  test('writes nothing for a run that was cancelled meanwhile', async ({ db, tenant }) => {
    const id = await submitSpecs(db, [spec, spec], { tenant })
    const claims = await claimsOf(db, claim)
    await cancelEvaluation(db, { tenant, user: '', everyTenant: false }, id, new Date().toISOString())

    expect([...(await recordLaunches(db, 'bridge-a', launchedFrom(claims)))]).toEqual([])
    expect(await db`select from evalhub.attempts where evaluation_id = ${id}`).toHaveLength(0)
  })

  test('and a cancel at the same moment wait for each other and never fail', async ({ db, tenant }) => {
    for (let round = 0; round < 10; round++) {
      const id = await submitSpecs(db, Array(8).fill(spec), { tenant })
      const claims = await claimsOf(db, claim)

      await Promise.all([
        recordLaunches(db, 'bridge-a', launchedFrom(claims)),
        cancelEvaluation(db, { tenant, user: '', everyTenant: false }, id, new Date().toISOString()),
        claimsOf(db, { ...claim, holder: 'bridge-b' }),
      ])

      expect((await storedRuns(db, id)).every(({ state, queued }) => state === 'cancelled' && queued === 0)).toBe(true)
    }
  })
})

describe('deferLaunches', () => {
  test('makes a row due again after the delay, and keeps the reason', async ({ db, tenant }) => {
    await submitSpecs(db, [spec, spec], { tenant })
    const [one, two] = await claimsOf(db, claim)

    await deferLaunches(db, 'bridge-a', [
      { queueId: one?.queueId ?? 0, delaySeconds: 0, reason: 'busy' },
      { queueId: two?.queueId ?? 0, delaySeconds: 60, reason: 'busy' },
    ])

    expect((await claimsOf(db, claim)).map(({ queueId, tries }) => [queueId, tries])).toEqual([[one?.queueId, 2]])
    expect(await db`select last_error from evalhub.launch_queue`).toEqual([{ last_error: 'busy' }, { last_error: 'busy' }])
  })

  test('leaves a row alone that another bridge has taken over', async ({ db, tenant }) => {
    await submitSpecs(db, [spec], { tenant })
    const [mine] = await claimsOf(db, { ...claim, leaseSeconds: 0 })
    await claimsOf(db, { ...claim, holder: 'bridge-b' })

    await deferLaunches(db, 'bridge-a', [{ queueId: mine?.queueId ?? 0, delaySeconds: 0, reason: 'busy' }])

    expect(await db`select lease_holder, last_error from evalhub.launch_queue`).toEqual([{ lease_holder: 'bridge-b', last_error: null }])
  })
})
