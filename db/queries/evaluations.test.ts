import fc from 'fast-check'
import { expect } from 'vitest'
import { parseFilter } from '#shared/domain/list-filter.ts'
import { EVALUATION_STATES } from '#shared/models/states.ts'
import type { Pool } from '../client.ts'
import { test } from '../test-db.ts'
import { specFor, submitSpecs } from '../test-evaluation.ts'
import { UNBOUNDED } from '../reserve.ts'
import { listEvaluations } from './evaluations.ts'

type Stored = { id: string; state: string; name: string; owner: string; tags: string[]; deleted: boolean }

const NAMES = ['a', 'b', 'c']

/** Every state with every name, some of them deleted, newest first. */
async function storeJobs(db: Pool, tenant: string): Promise<Stored[]> {
  const jobs: Stored[] = []
  for (const [at, state] of [...EVALUATION_STATES, ...EVALUATION_STATES].entries()) {
    for (const name of NAMES) {
      const id = await submitSpecs(db, [specFor('true')], { tenant })
      const job = { id, state, name, owner: at % 2 ? 'ann' : 'bob', tags: [name, state], deleted: at % 5 === 4 }
      await db`
        update evalhub.evaluations set
          name = ${job.name}, owner = ${job.owner}, tags = ${db.json(job.tags)}, deleted_at = case when ${job.deleted}::boolean then now() end,
          state = ${state}, finished_at = case when ${state}::text not in ('pending', 'running') then now() end
        where id = ${id}`
      jobs.unshift(job)
    }
  }
  return jobs
}

const text = (values: readonly string[], negations: string[]) =>
  fc
    .tuple(fc.constantFrom(...negations), fc.constantFrom(',', '|'), fc.subarray([...values, 'none'], { maxLength: 3 }))
    .map(([not, separator, chosen]) => (chosen.length === 0 ? '' : not + chosen.join(separator)))

const question = fc.record({
  status: text(EVALUATION_STATES, ['', '!']),
  name: fc.option(text(NAMES, ['']), { nil: '', freq: 1 }),
  owner: fc.option(text(['ann', 'bob'], ['', '!']), { nil: '', freq: 1 }),
  tags: fc.option(text([...NAMES, 'pending'], ['']), { nil: '', freq: 1 }),
  limit: fc.constantFrom(0, 1, 3, 50),
  offset: fc.constantFrom(0, 1, 4, 100),
})

/** The grammar of filters, said once more, over what a job has of a field. */
function passes(values: readonly string[], asked: string): boolean {
  if (asked === '') return true
  const positive = asked.replace(/^!/, '')
  const parts = positive.split(positive.includes(',') ? ',' : '|')
  const has = (part: string) => values.includes(part)
  return (positive.includes(',') ? parts.every(has) : parts.some(has)) !== asked.startsWith('!')
}

// Guarantee: however a list is found (in an index, by states, by counters), it is the one that looking at every row gives.
test('a page and its total are those of all rows, whatever the filters', async ({ db, tenant }) => {
  const jobs = await storeJobs(db, tenant)
  await storeJobs(db, `${tenant}-other`)
  const property = fc.asyncProperty(question, async ({ limit, offset, ...asked }) => {
    const expected = jobs.filter(
      ({ state, name, owner, tags, deleted }) =>
        !deleted && passes([state], asked.status) && passes([name], asked.name) && passes([owner], asked.owner) && passes(tags, asked.tags),
    )
    const filters = Object.fromEntries(
      Object.entries(asked).map(([field, said]) => [field, parseFilter(said, { canNegate: field === 'status' || field === 'owner' })]),
    )
    const { items, total } = await listEvaluations(db, { tenant, user: '', everyTenant: false }, filters, { limit, offset }, UNBOUNDED)
    expect(total).toBe(expected.length)
    const page = expected.slice(offset, limit === 0 ? undefined : offset + limit)
    expect(items.map(({ resource }) => resource.id)).toEqual(page.map(({ id }) => id))
  })
  await fc.assert(property, { numRuns: 300, interruptAfterTimeLimit: 8000 })
})
