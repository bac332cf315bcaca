import { describe, expect, onTestFinished } from 'vitest'
import { openFairPool } from '#db/fair-pool.ts'
import { openStore } from '#db/store.ts'
import { createApp } from '../app.ts'
import { callOn, JOB, optionsOn, test, type Answer } from '../test-app.ts'

type Call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>

const COLLECTION = { category: 'c', benchmarks: [{ id: 'first', provider_id: 'frame' }] }
const BODIES: Record<string, (name: string, more?: object) => object> = {
  jobs: (name, more) => ({ ...JOB, name, ...more }),
  providers: (name, more) => ({ name, ...more }),
  collections: (name, more) => ({ ...COLLECTION, name, ...more }),
}
const create = (call: Call, noun: string, name: string, more?: object) => call('POST', `/${noun}`, BODIES[noun]?.(name, more))
const namesOf = ({ body }: Answer) => body.items.map(({ name }: { name: string }) => name)
/** Values of a filter. */
const list = (length: number, separator = ',', prefix = 'v') =>
  encodeURIComponent(Array.from({ length }, (_, at) => (prefix === '' ? 'a' : prefix + String(at))).join(separator))
/** Of the tenant alone, without those of the catalogue. */
const own = (noun: string) => (noun === 'jobs' ? '' : '&scope=tenant')

describe.each(['jobs', 'providers', 'collections'])('GET /%s', (noun) => {
  // Source: section 7 of the contract.
  test('has exactly the page body of the contract', async ({ call }) => {
    for (const name of ['a', 'b', 'c']) await create(call, noun, name)
    const query = `?offset=1&limit=1${own(noun)}`
    const { body } = await call('GET', `/${noun}${query}`)
    expect(Object.keys(body)).toEqual(['first', 'next', 'limit', 'total_count', 'items'])
    expect(body.first.href).toBe(`/api/v1/evaluations/${noun}${query}`)
    const sorted = noun === 'jobs' ? 'limit=1&offset=2' : 'limit=1&offset=2&scope=tenant'
    expect(body.next.href).toBe(`/api/v1/evaluations/${noun}?${sorted}`)
    expect(body).toMatchObject({ limit: 1, total_count: 3 })
  })

  test('reaches every item once by following next, and then ends', async ({ call }) => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await create(call, noun, name)
    const seen: string[] = []
    for (let at: string | undefined = `/${noun}?limit=2${own(noun)}`; at !== undefined;) {
      const page: Answer = await call('GET', at)
      seen.push(...namesOf(page))
      at = page.body.next?.href.replace('/api/v1/evaluations', '')
    }
    expect(seen.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  test('with no items is an empty page, past the end too', async ({ call }) => {
    await create(call, noun, 'a')
    expect((await call('GET', `/${noun}?name=none`)).body).toMatchObject({ total_count: 0, items: [] })
    const past = (await call('GET', `/${noun}?offset=7${own(noun)}`)).body
    expect(past).toMatchObject({ total_count: 1, items: [], limit: 50 })
    expect(past).not.toHaveProperty('next')
  })

  test.for([
    ['name=b', ['b']],
    ['name=B', []],
    ['name=a%7Cb', ['a', 'b']],
    ['name=a,b', []],
    ['name=!a', []],
    ['tags=x', ['a', 'b']],
    ['tags=x,y', ['b']],
    ['tags=x&tags=y', ['b']],
    ['tags=y%7Cz', ['b', 'c']],
    ['tags=y|z', ['b', 'c']],
    ['tags=%20x%20,%20y', ['b']],
    ['tags=', ['a', 'b', 'c']],
    ['tags=none', []],
    ['tags=%27%3B--', []],
  ] as [string, string[]][])('filters by %s', async ([query, names], { call }) => {
    for (const [name, tags] of Object.entries({ a: ['x'], b: ['x', 'y'], c: ['z'] })) await create(call, noun, name, { tags })
    const answer = await call('GET', `/${noun}?${query}${own(noun)}`)
    expect(namesOf(answer).sort()).toEqual(names)
    expect(answer.body.total_count).toBe(names.length)
  })

  test.for([
    ['owner=ann', ['a']],
    ['owner=bob', ['b']],
    ['owner=ann%7Cbob', ['a', 'b']],
    ['owner=nobody', []],
  ] as [string, string[]][])('filters by %s', async ([query, names], { call }) => {
    await create(call, noun, 'a')
    await call('POST', `/${noun}`, BODIES[noun]?.('b'), { 'X-User': 'bob' })
    expect(namesOf(await call('GET', `/${noun}?${query}`)).sort()).toEqual(names)
  })

  test.for([
    ['limit=-1', 'query_parameter_invalid', "The query parameter 'limit' is not a valid positive integer: '-1'."],
    ['limit=ten', 'query_parameter_invalid', "The query parameter 'limit' is not a valid integer: 'ten'."],
    ['limit=1.5', 'query_parameter_invalid', /valid integer: '1.5'/],
    ['offset=-1', 'query_parameter_invalid', /'offset' is not a valid positive integer/],
    ['offset=1e3', 'query_parameter_invalid', /valid integer/],
    ['nmae=a', 'query_bad_parameter', /'nmae' is not a valid query parameter. Allowed parameters are: limit, offset, /],
    ['nmae=a&limit=x', 'query_parameter_invalid', /'limit'/],
  ] as const)('refuses %s', async ([query, code, message], { call }) => {
    expect(await call('GET', `/${noun}?${query}`)).toMatchObject({
      status: 400,
      body: { message_code: code, message: typeof message === 'string' ? message : expect.stringMatching(message) },
    })
  })

  // Guarantee: what the database compares each row with is bounded by what a request may ask, not by what a URL may hold.
  test.for([
    ['51', `name=${list(51)}`, /'name' is not a valid filter, of which a request takes at most 50 values in all: '51 values'/],
    ['51 to choose from', `owner=!${list(51, '|')}`, /'owner' .* '51 values'/],
    ['200 that are the same', `name=${list(200, ',', '')}`, /'name' .* '200 values'/],
    ['51 in two parameters', `name=${list(26)}&tags=${list(25)}`, /'(name|tags)' .* '51 values'/],
    ['60 in one that is repeated', `tags=${Array.from({ length: 60 }, () => 'a').join('&tags=')}`, /'tags' .* '60 values'/],
    ['one of 257 characters', `name=${'x'.repeat(257)}`, /'name' .* at most 256 characters each: 'one of 257 characters'/],
    ['a long one beside a short one', `tags=a,${'x'.repeat(257)}`, /'tags' .* 'one of 257 characters'/],
  ] as [string, string, RegExp][])('refuses more than 50 filter values, or long ones: %s', async ([, query, message], { call }) => {
    expect(await call('GET', `/${noun}?${query}`)).toMatchObject({
      status: 400,
      body: { message_code: 'query_parameter_invalid', message: expect.stringMatching(message) },
    })
  })

  test('takes 50 values of 256 characters', async ({ call }) => {
    const query = `name=${list(25, '|', 'x'.repeat(252))}&tags=${list(25, ',', 'x'.repeat(252))}`
    expect((await call('GET', `/${noun}?${query}`)).body).toMatchObject({ total_count: 0, items: [] })
  })

  test('takes limit=0 for all, and empty parameters for none', async ({ call }) => {
    for (const name of ['a', 'b', 'c']) await create(call, noun, name)
    expect((await call('GET', `/${noun}?limit=0&offset=1${own(noun)}`)).body.items).toHaveLength(2)
    expect((await call('GET', `/${noun}?limit=&offset=&name=${own(noun)}`)).body).toMatchObject({ limit: 50, total_count: 3 })
  })
})

test('providers of the catalogue and of the tenant add up', async ({ call }) => {
  await create(call, 'providers', 'a')
  const total = async (query: string) => (await call('GET', `/providers?${query}`)).body.total_count
  expect((await total('scope=system')) + (await total('scope=tenant'))).toBe(await total(''))
  expect(await total('owner=system')).toBe(1)
  expect(await total('owner=!system')).toBe(1)
})

test('collections are listed by category', async ({ call }) => {
  await create(call, 'collections', 'a', { category: 'odd' })
  expect(namesOf(await call('GET', '/collections?category=odd'))).toEqual(['a'])
  expect(namesOf(await call('GET', '/collections?category=odd%7Cgeneral')).sort()).toEqual(['Pair', 'a'])
})

describe('without a tenant, the operator of a local hub', () => {
  const operator = { 'X-Tenant': '', 'X-User': '' }

  // Source: section 16 (35) of the contract, and section 19.
  test('sees every tenant’s jobs, and may cancel, delete and read them', async ({ call, tenant }) => {
    const { id } = (await create(call, 'jobs', tenant)).body.resource
    expect(namesOf(await call('GET', `/jobs?name=${tenant}`, undefined, operator))).toEqual([tenant])
    expect((await call('GET', '/jobs', undefined, operator)).body.total_count).toBeGreaterThan(0)
    expect(await call('GET', `/jobs/${id}/logs`, undefined, operator)).toMatchObject({ status: 200 })
    expect(await call('DELETE', `/jobs/${id}`, undefined, operator)).toMatchObject({ status: 204 })
    expect(await call('DELETE', `/jobs/${id}?hard_delete=1`, undefined, operator)).toMatchObject({ status: 204 })
  })

  test.for(['providers', 'collections'])(
    'sees every tenant’s %s in lists, and by id only the catalogue’s',
    async (noun, { call, tenant }) => {
      const { id } = (await create(call, noun, tenant)).body.resource
      expect(namesOf(await call('GET', `/${noun}?name=${tenant}`, undefined, operator))).toEqual([tenant])
      expect(await call('GET', `/${noun}/${id}`, undefined, operator)).toMatchObject({ status: 404 })
    },
  )

  test('creates things of no tenant, which no tenant sees', async ({ call }) => {
    const { body } = await call('POST', '/jobs', JOB, operator)
    expect(body.resource).not.toHaveProperty('tenant')
    expect(body.resource).not.toHaveProperty('owner')
    expect(await call('GET', `/jobs/${body.resource.id}`)).toMatchObject({ status: 404 })
  })
})

// Guarantee: how a page was read cannot be told from it.
test('a page that is read piece by piece is the page that is read at once, and so is a job', async ({ call, db, tenant }) => {
  for (const name of ['a', 'b', 'c', 'd', 'e']) await create(call, 'jobs', name)
  const paths = [
    '/jobs?limit=3',
    '/jobs?limit=3&offset=1',
    '/jobs?limit=0',
    '/jobs?name=b%7Cd',
    '/jobs?status=pending&limit=2',
    '/jobs?offset=9',
  ]
  const answers = async () => Promise.all(paths.map(async (path) => (await call('GET', path)).body))
  const atOnce = await answers()
  const id = atOnce[0].items[0].resource.id
  const one = await call('GET', `/jobs/${id}`)
  for (const footprint of [700_000, 3_000_000]) {
    await db`update evalhub.evaluations set footprint = ${footprint} where tenant = ${tenant}`
    expect(await answers()).toEqual(atOnce)
  }
  const large = await call('GET', `/jobs/${id}`)
  expect(large.body).toEqual(one.body)
  expect(large.headers.get('etag')).toBe(one.headers.get('etag'))
})

// Guarantee: who asks for jobs with many results is not overtaken by all who ask for others.
test('a page that is read piece by piece is answered before most of those that were asked for after it', async ({
  db,
  databaseUrl,
  tenant,
}) => {
  const pool = openFairPool(databaseUrl, { max: 1, statementMs: 20_000 })
  onTestFinished(() => pool.end())
  const store = openStore(pool)
  const app = createApp({ ...(await optionsOn(db, { mode: 'none' })), storeOf: () => store, answerLimitMs: 60_000 })
  const call = callOn(app, { 'X-Tenant': tenant, 'X-User': 'ann' })
  for (const name of ['a', 'b', 'c']) await create(call, 'jobs', name)
  await db`update evalhub.evaluations set footprint = 700_000 where tenant = ${tenant}`
  const answered: string[] = []
  const ask = (path: string) => call('GET', path).then(() => answered.push(path))
  await Promise.all([ask('/jobs?limit=2'), ...Array.from({ length: 300 }, () => ask('/jobs?limit=1'))])
  expect(answered.indexOf('/jobs?limit=2')).toBeLessThan(150)
})
