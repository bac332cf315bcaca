import fc from 'fast-check'
import { SHOWN_PARAMETERS_FOOTPRINT } from '#shared/domain/resolved-request.ts'
import { expect } from 'vitest'
import { parseFilter } from '#shared/domain/list-filter.ts'
import { footprintOf } from '#shared/domain/footprint.ts'
import { EVALUATION_STATES } from '#shared/models/states.ts'
import type { Pool } from '../client.ts'
import { test } from '../test-db.ts'
import { specFor, submitSpecs } from '../test-evaluation.ts'
import { SMALL_FOOTPRINT, UNBOUNDED } from '../reserve.ts'
import { findEvaluation, listEvaluations } from './evaluations.ts'

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
  // Some are read at once, some in groups, and some each by itself.
  await db`update evalhub.evaluations set footprint = greatest(0, (random() * random() * 1.5 - 0.1) * 1024 * 1024)::int`
  const property = fc.asyncProperty(question, async ({ limit, offset, ...asked }) => {
    const expected = jobs.filter(
      ({ state, name, owner, tags, deleted }) =>
        !deleted && passes([state], asked.status) && passes([name], asked.name) && passes([owner], asked.owner) && passes(tags, asked.tags),
    )
    const filters = Object.fromEntries(
      Object.entries(asked).map(([field, said]) => [field, parseFilter(said, { canNegate: field === 'status' || field === 'owner' })]),
    )
    const listed = await listEvaluations(db, { tenant, user: '', everyTenant: false }, filters, { limit, offset }, UNBOUNDED)
    const { items, total, more } = listed
    for await (const group of more ?? []) {
      for (const item of group.items) items.push(item)
      group.release()
    }
    expect(total).toBe(expected.length)
    const page = expected.slice(offset, limit === 0 ? undefined : offset + limit)
    expect(items.map(({ resource }) => resource.id)).toEqual(page.map(({ id }) => id))
  })
  await fc.assert(property, { numRuns: 300, interruptAfterTimeLimit: 8000 })
})

// Guarantee: nothing large is read before there is memory for it, and nothing small asks for any.
test('what is large is read after its memory was given, one at a time, and given back; what is small asks for nothing', async ({
  db,
  tenant,
}) => {
  const scope = { tenant, user: '', everyTenant: false }
  const ids = await Promise.all(['a', 'b', 'c'].map(() => submitSpecs(db, [specFor('true')], { tenant })))
  const asked: number[] = []
  const held = new Set<symbol>()
  const reserve = (footprint: number) => {
    asked.push(footprint)
    const one = Symbol()
    held.add(one)
    return { release: () => void held.delete(one) }
  }
  await findEvaluation(db, scope, ids[0]!, reserve)
  expect((await listEvaluations(db, scope, {}, { limit: 50, offset: 0 }, reserve)).more).toBeUndefined()
  expect(asked).toEqual([])

  await db`update evalhub.evaluations set footprint = 5000000 where tenant = ${tenant}`
  expect((await findEvaluation(db, scope, ids[0]!, reserve))?.status.benchmarks).toHaveLength(1)
  expect(asked.splice(0)).toEqual([5_000_000 + SHOWN_PARAMETERS_FOOTPRINT])
  held.clear()
  const { items, total, more } = await listEvaluations(db, scope, {}, { limit: 2, offset: 1 }, reserve)
  expect({ items, total }).toEqual({ items: [], total: 3 })
  for await (const group of more ?? []) {
    expect(group.items).toHaveLength(1)
    expect(held.size).toBe(1)
    group.release()
  }
  expect(asked).toEqual([5_000_000, SMALL_FOOTPRINT, 5_000_000])
  expect(held.size).toBe(0)
  const refusing = () => Promise.reject(new Error('none left'))
  await expect(findEvaluation(db, scope, ids[0]!, refusing)).rejects.toThrow('none left')
})

test('a page goes on to its length when jobs of it are deleted while it is read', async ({ db, tenant }) => {
  const scope = { tenant, user: '', everyTenant: false }
  const ids: string[] = []
  for (let at = 0; at < 5; at++) ids.unshift(await submitSpecs(db, [specFor('true')], { tenant }))
  await db`update evalhub.evaluations set footprint = 5000000 where tenant = ${tenant}`
  const { more } = await listEvaluations(db, scope, {}, { limit: 3, offset: 0 }, UNBOUNDED)
  const seen: string[] = []
  for await (const { items } of more ?? []) {
    seen.push(...items.map(({ resource }) => resource.id))
    if (seen.length === 1) await db`update evalhub.evaluations set deleted_at = now() where id = ${ids[1]!}`
  }
  expect(seen).toEqual([ids[0], ids[2], ids[3]])
})

// Guarantee: what was reserved by footprint is at least what PostgreSQL sends.
test('no value is longer in the database than its footprint', async ({ db }) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.jsonValue({ noUnicodeString: false }), { minLength: 1, maxLength: 20 }), async (values) => {
      const storable = values.filter((value) => !/\\u0000|\\ud[89a-f]/.test(JSON.stringify(value)))
      const rows = await db<{ bytes: number }[]>`
        select octet_length(value::text) as bytes from jsonb_array_elements(${db.json(storable as never)}) with ordinality as one (value, place) order by place`
      storable.forEach((value, at) => expect(footprintOf(value)).toBeGreaterThanOrEqual(rows[at]!.bytes))
    }),
    { numRuns: 50 },
  )
  const [row] = await db<
    { bytes: number }[]
  >`select octet_length(${db.json([1e308, -1e-308, 123456789012345680000])}::jsonb::text) as bytes`
  expect(footprintOf([1e308, -1e-308, 123456789012345680000])).toBeGreaterThanOrEqual(row!.bytes)
})
