import { describe, expect } from 'vitest'
import { test, type Answer, type Call } from '../test-app.ts'

const COLLECTION = { name: 'mine', category: 'c', benchmarks: [{ id: 'first', provider_id: 'frame' }] }

const create = async (call: Call, more: object = {}): Promise<string> =>
  (await call('POST', '/collections', { ...COLLECTION, ...more })).body.resource.id
const urlsOf = ({ body }: Answer) => body.benchmarks.map(({ url }: { url?: string }) => url)

// Source: section 19 of the contract.
describe('collections', () => {
  const WORDS = {
    domains: ['health', 'law'],
    tasks: ['qa'],
    modalities: ['text', 'image'],
    industries: ['hospitals'],
    evaluation_targets: ['model'],
  }

  test('keep what they are found by, and ignore what the hub alone could know', async ({ call }) => {
    const own = { ...WORDS, curation_order: 3.5, custom: { Kept: null } }
    const { body } = await call('POST', '/collections', { ...COLLECTION, ...own, run_count: 7, derived_from: 'x', pinned_order: 1 })
    expect(body).toMatchObject(own)
    expect((await call('GET', `/collections/${body.resource.id}`)).body).toEqual(body)
    for (const name of ['run_count', 'derived_from', 'pinned_order']) expect(body).not.toHaveProperty(name)
  })

  test.for(Object.entries(WORDS))('are listed by %s', async ([list, words], { call }) => {
    await create(call, { name: 'with', ...WORDS })
    await create(call, { name: 'without' })
    const names = async (value: string) =>
      (await call('GET', `/collections?scope=tenant&${list}=${value}`)).body.items.map(({ name }: { name: string }) => name)
    expect(await names(words[0]!)).toEqual(['with'])
    expect(await names(words.join())).toEqual(['with'])
    expect(await names(`none%7C${words[0]}`)).toEqual(['with'])
    expect(await names(`${words[0]},none`)).toEqual([])
    expect(await names('none')).toEqual([])
  })

  test('take any sort_by and keep it in the link to the next page', async ({ call }) => {
    for (const name of ['a', 'b']) await create(call, { name })
    const { status, body } = await call('GET', '/collections?scope=tenant&sort_by=whatever&limit=1')
    expect({ status, next: body.next.href }).toEqual({
      status: 200,
      next: '/api/v1/evaluations/collections?limit=1&offset=1&scope=tenant&sort_by=whatever',
    })
  })

  test('have their lists of words changed by a patch', async ({ call }) => {
    const id = await create(call, WORDS)
    const patched = await call('PATCH', `/collections/${id}`, [{ op: 'replace', path: '/domains', value: ['law'] }])
    expect(patched.body).toMatchObject({ domains: ['law'], tasks: ['qa'] })
    // Seen on the published server.
    const more = [
      { op: 'add', path: '/domains/-', value: 'x' },
      { op: 'remove', path: '/tasks' },
    ]
    const again = await call('PATCH', `/collections/${id}`, more)
    expect(again.body).toMatchObject({ domains: ['law', 'x'] })
    expect(again.body).not.toHaveProperty('tasks')
  })

  test('that are curated are deleted like others', async ({ call }) => {
    const id = await create(call, { curation_order: 0 })
    expect(await call('PATCH', `/collections/${id}`, [])).toMatchObject({ body: { message_code: 'read_only_collection' } })
    expect(await call('DELETE', `/collections/${id}`)).toMatchObject({ status: 204 })
  })
})

// Source: sections 6.1 and 19 of the contract.
describe('the url of a collection’s benchmark', () => {
  const page = (url: string) => ({ name: 'p', benchmarks: [{ id: 'b', url }, { id: 'c' }] })
  const createProvider = async (call: Call, url: string): Promise<string> => (await call('POST', '/providers', page(url))).body.resource.id

  test('is its provider’s, never the client’s, and absent where there is none', async ({ call }) => {
    const benchmarks = [
      { id: 'first', provider_id: 'frame', url: 'http://mine' },
      { id: 'second', provider_id: 'frame', url: 'http://mine', parameters: { a: null } },
      { id: 'first', provider_id: 'nobody', url: 'http://mine' },
    ]
    const created = await call('POST', '/collections', { ...COLLECTION, benchmarks })
    expect(urlsOf(created)).toEqual(['http://docs/first', undefined, undefined])
    expect(created.body.benchmarks[1].parameters).toEqual({ a: null })
    const id = created.body.resource.id
    expect(urlsOf(await call('PUT', `/collections/${id}`, { ...COLLECTION, benchmarks }))).toEqual([
      'http://docs/first',
      undefined,
      undefined,
    ])
    expect(urlsOf(await call('GET', `/collections/${id}`))).toEqual(['http://docs/first', undefined, undefined])
  })

  test('is the present one in GET and lists, and gone with the provider', async ({ call }) => {
    const provider = await createProvider(call, 'http://old')
    const id = await create(call, { benchmarks: [{ id: 'b', provider_id: provider }] })
    await call('PUT', `/providers/${provider}`, page('http://new'))
    const listed = async () =>
      urlsOf({ ...(await call('GET', '/collections')), body: (await call('GET', '/collections?scope=tenant')).body.items[0] })
    expect([...urlsOf(await call('GET', `/collections/${id}`)), ...(await listed())]).toEqual(['http://new', 'http://new'])
    await call('DELETE', `/providers/${provider}`)
    expect([...urlsOf(await call('GET', `/collections/${id}`)), ...(await listed())]).toEqual([undefined, undefined])
  })

  test.for([
    ['/benchmarks/0/id', 'c', 'http://old'],
    ['/benchmarks/0/weight', 2, 'http://old'],
    ['/name', 'new', 'http://old'],
    ['/benchmarks/0', { id: 'first', provider_id: 'frame', url: 'http://mine' }, 'http://docs/first'],
    ['/benchmarks', [{ id: 'first', provider_id: 'frame' }], 'http://docs/first'],
  ] as const)('after a patch of %s is in the answer %j → %s', async ([path, value, url], { call }) => {
    const provider = await createProvider(call, 'http://old')
    const id = await create(call, { benchmarks: [{ id: 'b', provider_id: provider }] })
    await call('PUT', `/providers/${provider}`, page('http://new'))
    expect(urlsOf(await call('PATCH', `/collections/${id}`, [{ op: 'replace', path, value }]))).toEqual([url])
  })

  test('is there in collections of the catalogue', async ({ call }) => {
    expect(urlsOf(await call('GET', '/collections/pair-v1'))).toEqual(['http://docs/first', undefined])
  })

  // Guarantee: naming a stranger's provider tells nothing about it.
  test('of another tenant’s provider is not shown', async ({ call }) => {
    const provider = await createProvider(call, 'http://secret')
    const theirs = await call(
      'POST',
      '/collections',
      { ...COLLECTION, benchmarks: [{ id: 'b', provider_id: provider }] },
      { 'X-Tenant': 'stranger' },
    )
    expect(urlsOf(theirs)).toEqual([undefined])
    expect(urlsOf(await call('GET', `/collections/${theirs.body.resource.id}`, undefined, { 'X-Tenant': 'stranger' }))).toEqual([undefined])
  })

  test('is found where no tenant is named', async ({ call }) => {
    const nobody = { 'X-Tenant': '' }
    const provider = (await call('POST', '/providers', page('http://own'), nobody)).body.resource.id
    const { body } = await call('POST', '/collections', { ...COLLECTION, benchmarks: [{ id: 'b', provider_id: provider }] }, nobody)
    const lists = (await call('GET', '/collections?scope=tenant', undefined, nobody)).body.items
    expect(lists.find(({ resource }: { resource: { id: string } }) => resource.id === body.resource.id).benchmarks[0].url).toBe(
      'http://own',
    )
  })
})
