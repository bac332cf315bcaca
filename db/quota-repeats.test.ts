import { describe, expect, onTestFinished } from 'vitest'
import { connect } from './client.ts'
import { createEvaluations } from './commands/create-evaluation.ts'
import { UNBOUNDED } from './reserve.ts'
import { forTenant, openStore } from './store.ts'
import { test } from './test-db.ts'
import { holdIds, holdTenant, holdUp, LARGE, newId, newJob, NO_QUOTAS, outcomeOf, stopClock, untilWaiting, usageOf } from './test-quotas.ts'

describe('a request that is repeated with its key at the same moment', () => {
  // Guarantee: whoever repeats is never told of a quota what the first one was not told, wherever the repeats arrive.
  test.for([
    ['open_runs', 'small', { openRuns: 10 }],
    ['jobs_per_minute', 'small', { jobsPerMinute: 5 }],
    ['stored_bytes', 'small', { storedBytes: 5000 }],
    ['open_runs', 'large', { openRuns: 10 }],
    ['jobs_per_minute', 'large', { jobsPerMinute: 5 }],
    ['stored_bytes', 'large', { storedBytes: 5 * LARGE }],
  ] as const)('counts once for %s, with %s jobs and several processes', async ([quota, size, bound], { databaseUrl, db, tenant }) => {
    const quotas = { ...NO_QUOTAS, ...bound }
    const pools = Array.from({ length: 3 }, () => connect(databaseUrl, { max: 4 }))
    const scope = { tenant, user: 'ann', everyTenant: false }
    const stores = pools.map((pool) => forTenant(openStore(pool, quotas), scope, UNBOUNDED))
    const of = { runs: 2, bytes: size === 'large' ? LARGE : 1000 }
    await stopClock(db, tenant)
    const repeats = Array.from({ length: size === 'large' ? 20 : 60 }, (_, at) => `key ${at % 5}`)
    const answers = await Promise.allSettled(
      repeats.map((key, at) =>
        stores[at % 3]!.createEvaluation(newJob(tenant, { ...of, key })).then(({ resource }) => `${key} ${resource.id}`),
      ),
    )
    await expect(stores[0]!.createEvaluation(newJob(tenant, { ...of, key: 'another' }))).rejects.toThrow(`The quota ${quota}`)
    await Promise.all(pools.map((pool) => pool.end()))
    expect(answers.filter(({ status }) => status === 'rejected')).toEqual([])
    expect(new Set(answers.map((answer) => 'value' in answer && answer.value)).size).toBe(5)
    expect(await usageOf(db, tenant)).toEqual({ runs: 10, bytes: 5 * of.bytes })
    expect(await db`select jobs from evalhub.submit_rates where tenant = ${tenant}`).toEqual([{ jobs: 5 }])
  })

  test('is judged with it in one statement: counts once if it is stored, and is refused if it is refused', async ({ db, tenant }) => {
    const create = async (bound: object, ...jobs: ReturnType<typeof newJob>[]) =>
      (await createEvaluations(db, jobs, { quotas: { ...NO_QUOTAS, ...bound } })).map(outcomeOf)
    const [a, b, c] = [() => newJob(tenant, { key: 'a' }), () => newJob(tenant, { key: 'b' }), () => newJob(tenant, { key: 'c' })]
    await stopClock(db, tenant)
    expect(await create({ jobsPerMinute: 2 }, a(), a(), b(), a(), c(), b(), c())).toEqual([
      'stored',
      'known',
      'stored',
      'known',
      'jobs_per_minute',
      'known',
      'jobs_per_minute',
    ])
    // Another body: its key stands for nothing until something is stored for it.
    const jobs = [newJob(tenant, { key: 'd', runs: 9 }), newJob(tenant, { key: 'd' }), newJob(tenant, { key: 'd', runs: 9 })]
    expect(await create({ openRuns: 3 }, ...jobs)).toEqual(['open_runs', 'stored', 'known'])
    expect(await usageOf(db, tenant)).toEqual({ runs: 3, bytes: 0 })
  })

  test('is known to each statement that has waited for the one that stored it', async ({ databaseUrl, db, tenant }) => {
    const pool = connect(databaseUrl, { max: 4 })
    onTestFinished(() => pool.end())
    await stopClock(db, tenant)
    const release = await holdUp(db, (tx) => holdTenant(tx, tenant))
    const statements = Array.from({ length: 3 }, () =>
      createEvaluations(pool, [newJob(tenant, { key: 'a' }), newJob(tenant, { key: 'b' })], { quotas: { ...NO_QUOTAS, jobsPerMinute: 2 } }),
    )
    await untilWaiting(db, 3)
    await release()
    const outcomes = (await Promise.all(statements)).map((created) => created.map(outcomeOf).join())
    expect(outcomes.sort()).toEqual(['known,known', 'known,known', 'stored,stored'])
  })

  // Guarantee: nobody gets beyond a quota by a key that is forgotten while its repeat waits.
  test('is judged as a new one if its key is forgotten meanwhile', async ({ databaseUrl, db, tenant }) => {
    const pool = connect(databaseUrl, { max: 4 })
    onTestFinished(() => pool.end())
    const create = (...keys: (string | undefined)[]) =>
      createEvaluations(
        pool,
        keys.map((key) => newJob(tenant, key === undefined ? {} : { key })),
        { quotas: { ...NO_QUOTAS, jobsPerMinute: 2 } },
      )
    await stopClock(db, tenant)
    await create('a')
    const release = await holdUp(db, (tx) => holdTenant(tx, tenant))
    const created = create('a', undefined)
    await untilWaiting(db, 1)
    await db`delete from evalhub.idempotency_keys where tenant = ${tenant}`
    await release()
    expect((await created).map(outcomeOf)).toEqual(['stored', 'jobs_per_minute'])
  })

  test.for([undefined, NO_QUOTAS])(
    'is answered with the job also when its key was a day old, with quotas %j',
    async (quotas, { db, tenant }) => {
      const own = forTenant(openStore(db, quotas), { tenant, user: 'ann', everyTenant: false }, UNBOUNDED)
      const first = await own.createEvaluation(newJob(tenant, { key: 'a' }))
      await db`update evalhub.idempotency_keys set expires_at = now() where tenant = ${tenant}`
      const again = await Promise.all(Array.from({ length: 20 }, () => own.createEvaluation(newJob(tenant, { key: 'a' }))))
      const ids = new Set(again.map(({ resource }) => resource.id))
      expect(ids.size).toBe(1)
      expect(ids).not.toContain(first.resource.id)
    },
  )
})

// Guarantee: what a tenant does with its keys holds up no stranger.
test('a small job with the key of a large one that is being stored is stored at once, and so is what shares its statement', async ({
  databaseUrl,
  db,
  tenant,
}) => {
  const pool = connect(databaseUrl, { max: 4 })
  onTestFinished(() => pool.end())
  const quotas = { ...NO_QUOTAS, openRuns: 100 }
  const id = newId()
  const release = await holdUp(db, (tx) => holdIds(tx, tenant, [id]))
  onTestFinished(release)
  const large = openStore(pool, quotas).create(newJob(tenant, { id, bytes: LARGE, key: 'a' }))
  await untilWaiting(db, 1)
  const small = await createEvaluations(pool, [newJob(tenant, { key: 'a' }), newJob(`${tenant}-other`)], { quotas })
  expect(small.map(outcomeOf)).toEqual(['stored', 'stored'])
  await release()
  expect(outcomeOf(await large)).toBe('known')
  expect(await usageOf(db, tenant)).toEqual({ runs: 1, bytes: 0 })
  expect(await db`select from evalhub.evaluations where tenant = ${tenant}`).toHaveLength(1)
})

// Guarantee: while a release is rolled out, the functions of the one before go on.
test('jobs are judged also as the release before asks for it', async ({ db, tenant }) => {
  await stopClock(db, tenant)
  const [first, second] = [newId(), newId()]
  const refused = await db`
    select * from evalhub.admit(${tenant}, array[${first}, ${second}]::uuid[], '{1,1}'::int[], '{0,0}'::bigint[], 2::bigint, 0::bigint, null::bigint, 1::bigint, null::bigint)`
  expect(refused).toMatchObject([{ job_id: second, quota: 'jobs_per_minute', used: 1 }])
})
