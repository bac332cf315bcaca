import { expect } from 'vitest'
import { openStore } from './store.ts'
import { test } from './test-db.ts'
import { holdIds, holdTenant, holdUp, LARGE, newId, newJob, NO_QUOTAS, outcomeOf, untilWaiting } from './test-quotas.ts'

// Guarantee: who submits jobs that take seconds to store keeps nobody else's small job waiting.
test.for([
  ['without quotas', undefined],
  ['by a tenant with quotas, which are not locked meanwhile', { ...NO_QUOTAS, openRuns: 100, jobsPerMinute: 100 }],
] as const)(
  'a small job is stored while as many large ones as are stored at once are held up, %s',
  async ([, quotas], { db, tenant, onTestFinished }) => {
    const { create } = openStore(db, quotas)
    const [a, b] = [newId(), newId()]
    const release = await holdUp(db, (tx) => holdIds(tx, tenant, [a, b]))
    onTestFinished(release)
    const large = [create(newJob(tenant, { id: a, bytes: LARGE }))]
    await untilWaiting(db, 1)
    large.push(create(newJob(tenant, { id: b, bytes: LARGE })))
    await untilWaiting(db, 2)
    expect(await create(newJob(tenant))).toMatchObject({ job: { status: { state: 'pending' } } })
    await release()
    expect((await Promise.all(large)).map(outcomeOf)).toEqual(['stored', 'stored'])
  },
)

// Guarantee: while submits of a tenant wait for each other, those of others go beside them.
test("a stranger's job does not wait for a tenant whose quotas somebody else is being judged by", async ({
  db,
  tenant,
  onTestFinished,
}) => {
  const { create } = openStore(db, { ...NO_QUOTAS, openRuns: 100 })
  await create(newJob(tenant))
  const release = await holdUp(db, (tx) => holdTenant(tx, tenant))
  onTestFinished(release)
  const own = [create(newJob(tenant))]
  await untilWaiting(db, 1)
  own.push(create(newJob(tenant)))
  for (const stranger of ['a', 'b']) expect(outcomeOf(await create(newJob(`${tenant}-${stranger}`)))).toBe('stored')
  await release()
  expect((await Promise.all(own)).map(outcomeOf)).toEqual(['stored', 'stored'])
})
