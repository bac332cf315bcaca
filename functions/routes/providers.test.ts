import { describe, expect } from 'vitest'
import { test } from '../test-app.ts'

const PROVIDER = { name: 'mine', runtime: { k8s: { image: 'x:1', cpu_request: '2' } }, benchmarks: [{ id: 'b' }] }
const COLLECTION = { name: 'mine', category: 'c', benchmarks: [{ id: 'first', provider_id: 'frame', weight: 2 }] }

describe('providers', () => {
  test('are created with both spellings of the runtime, and always have name, title and description', async ({ call, tenant }) => {
    const { status, body } = await call('POST', '/providers', PROVIDER)
    expect(status).toBe(201)
    expect(body).toMatchObject({ resource: { tenant, owner: 'ann' }, name: 'mine', title: '', description: '' })
    expect(body.runtime.k8s).toMatchObject({ Image: 'x:1', CPURequest: '2' })
    expect(body.benchmarks).toEqual([{ id: 'b', name: '', description: '', category: '', num_few_shot: 0, dataset_size: 0 }])
    expect((await call('GET', `/providers/${body.resource.id}`)).body).toEqual(body)
  })

  // Guarantee: a tenant's own adapter gets the hub's token as a shipped one does: its provider says so, and its runs are made from that.
  test('declare that their adapter needs hf-token, and pass it on to their runs', async ({ call, db }) => {
    const own = { ...PROVIDER, runtime: { k8s: { image: 'x:1', needs_hf_token: true } } }
    const { body } = await call('POST', '/providers', own)
    expect(body.runtime.k8s).toMatchObject({ Image: 'x:1', needs_hf_token: true })
    const job = { name: 'j', model: { url: 'http://h/v1', name: 'm' }, benchmarks: [{ id: 'b', provider_id: body.resource.id }] }
    const submitted = (await call('POST', '/jobs', job)).body.resource.id
    const [row] = await db`select spec from evalhub.runs where evaluation_id = ${submitted}`
    expect(row?.spec).toMatchObject({ runtime: { k8s: { needs_hf_token: true } } })
    const wrong = { ...PROVIDER, runtime: { k8s: { image: 'x:1', needs_hf_token: 'yes' } } }
    expect(await call('POST', '/providers', wrong)).toMatchObject({ status: 400 })
  })

  // The published Python client refuses null there, and with it every list that has such a provider.
  test('{} is one, without benchmarks', async ({ call }) => {
    const { body } = await call('POST', '/providers', {})
    expect(body).toMatchObject({ name: '', description: '', benchmarks: [] })
    expect((await call('GET', `/providers/${body.resource.id}`)).body).toEqual(body)
  })

  test('are listed with the catalogue’s; benchmarks can be left out', async ({ call }) => {
    await call('POST', '/providers', PROVIDER)
    const names = async (query: string) =>
      (await call('GET', `/providers?${query}`)).body.items.map(({ name }: { name: string }) => name).sort()
    expect(await names('')).toEqual(['Frame', 'mine'])
    expect(await names('scope=system')).toEqual(['Frame'])
    expect(await names('scope=tenant')).toEqual(['mine'])
    expect(await names('name=Frame')).toEqual(['Frame'])
    const { items } = (await call('GET', '/providers?benchmarks=false')).body
    expect(items.map(({ benchmarks }: { benchmarks: unknown }) => benchmarks)).toEqual([[], []])
  })

  test.for([
    ['scope=all', 'query_parameter_value_invalid'],
    ['scope=system&owner=ann', 'query_parameter_mismatch'],
    ['category=x', 'query_bad_parameter'],
    ['benchmarks=perhaps', 'query_parameter_invalid'],
  ] as const)('refuse %s', async ([query, code], { call }) => {
    expect(await call('GET', `/providers?${query}`)).toMatchObject({ status: 400, body: { message_code: code } })
  })

  test('are replaced whole', async ({ call }) => {
    const { id } = (await call('POST', '/providers', PROVIDER)).body.resource
    const { body } = await call('PUT', `/providers/${id}`, { name: 'other', benchmarks: [] })
    expect(body).toMatchObject({ name: 'other', benchmarks: [] })
    expect(body).not.toHaveProperty('runtime')
  })

  test.for([
    [[{ op: 'replace', path: '/name', value: 'new' }], { name: 'new' }],
    [
      [
        { op: 'add', path: '/tags', value: ['a'] },
        { op: 'add', path: '/tags/-', value: 'b' },
      ],
      { tags: ['a', 'b'] },
    ],
    [[{ op: 'replace', path: '/runtime/local/command', value: 'true' }], undefined],
    [[{ op: 'replace', path: '/runtime/k8s/cpu_limit', value: '4' }], { runtime: { k8s: { CPULimit: '4', CPURequest: '2' } } }],
    [[{ op: 'replace', path: '/agent', value: { summary: 's' } }], { agent: { summary: 's' } }],
    [[], { name: 'mine' }],
    [null, { name: 'mine' }],
  ] as const)('take the patch %j', async ([patch, expected], { call }) => {
    const { id } = (await call('POST', '/providers', PROVIDER)).body.resource
    const { status, body } = await call('PATCH', `/providers/${id}`, patch)
    if (expected === undefined)
      expect(status).toBe(400) // its parent does not exist
    else expect(body).toMatchObject(expected)
  })

  test.for([
    [[{ op: 'move', path: '/name', from: '/title' }], 'invalid_patch_operation'],
    [[{ path: '/name' }], 'invalid_patch_operation'],
    [[{ op: 'replace', path: '' }], 'invalid_json_request'],
    [{}, 'invalid_json_request'],
    [[{ op: 'remove', path: '/name' }], 'unallowed_patch'],
    [[{ op: 'replace', path: '/resource/id', value: 'x' }], 'unallowed_patch'],
    [[{ op: 'add', path: '/agent/__proto__/x', value: 1 }], 'unallowed_patch'],
    [[{ op: 'remove', path: '/title/x' }], 'unallowed_patch'],
    [[{ op: 'replace', path: '/benchmarks/5', value: {} }], 'invalid_json_request'],
    [[{ op: 'add', path: '/agent', value: { summary: 'x'.repeat(201) } }], 'request_validation_failed'],
  ] as const)('refuse the patch %j', async ([patch, code], { call }) => {
    const { id } = (await call('POST', '/providers', PROVIDER)).body.resource
    expect(await call('PATCH', `/providers/${id}`, patch)).toMatchObject({ status: 400, body: { message_code: code } })
    expect((await call('GET', `/providers/${id}`)).body.name).toBe('mine')
  })

  test('a submitted job is not changed by them', async ({ call, db }) => {
    const { id } = (await call('POST', '/providers', PROVIDER)).body.resource
    const job = { name: 'j', model: { url: 'http://h/v1', name: 'm' }, benchmarks: [{ id: 'b', provider_id: id }] }
    const submitted = (await call('POST', '/jobs', job)).body.resource.id
    expect(await call('DELETE', `/providers/${id}`)).toMatchObject({ status: 204 })
    expect(await call('DELETE', `/providers/${id}`)).toMatchObject({ status: 404 })
    const [row] = await db`select spec from evalhub.runs where evaluation_id = ${submitted}`
    expect(row?.spec).toMatchObject({ runtime: { k8s: { Image: 'x:1' } }, from_catalogue: false })
  })
})

describe.each(['providers', 'collections'])('%s', (noun) => {
  const own = noun === 'providers' ? PROVIDER : COLLECTION
  const system = noun === 'providers' ? 'frame' : 'pair-v1'

  test('of the catalogue can be read and not written', async ({ call }) => {
    expect(await call('GET', `/${noun}/${system}`)).toMatchObject({ status: 200, body: { resource: { owner: 'system' } } })
    const code = `read_only_${noun.slice(0, -1)}`
    for (const [method, body] of [
      ['PUT', own],
      ['PATCH', [{ op: 'replace', path: '/name', value: 'x' }]],
      ['DELETE', undefined],
    ] as const) {
      expect({ method, ...(await call(method, `/${noun}/${system}`, body)) }).toMatchObject({ status: 400, body: { message_code: code } })
    }
    expect(await call('GET', `/${noun}/${system}`)).toMatchObject({ status: 200 })
  })

  test('of the catalogue: a patch is judged before that is said, but whether it can be applied only of providers', async ({ call }) => {
    const patch = (body: unknown) => call('PATCH', `/${noun}/${system}`, body)
    expect(await patch([{ op: 'remove', path: '/name' }])).toMatchObject({ status: 400, body: { message_code: 'unallowed_patch' } })
    const impossible = await patch([{ op: 'replace', path: '/benchmarks/99', value: {} }])
    const code = noun === 'providers' ? 'invalid_json_request' : 'read_only_collection'
    expect(impossible).toMatchObject({ status: 400, body: { message_code: code } })
  })

  test('of another tenant are not found', async ({ call }) => {
    const { id } = (await call('POST', `/${noun}`, own)).body.resource
    for (const tenant of ['stranger', '']) {
      const headers = { 'X-Tenant': tenant }
      for (const [method, body] of [
        ['GET', undefined],
        ['PUT', own],
        ['PATCH', []],
        ['DELETE', undefined],
      ] as const) {
        expect({ method, tenant, ...(await call(method, `/${noun}/${id}`, body, headers)) }).toMatchObject({ status: 404 })
      }
    }
    const { items } = (await call('GET', `/${noun}`, undefined, { 'X-Tenant': 'stranger' })).body
    expect(items.map(({ resource }: { resource: { id: string } }) => resource.id)).toEqual([system])
  })
})

describe('collections', () => {
  test.for([
    ['no name', { ...COLLECTION, name: undefined }],
    ['no category', { ...COLLECTION, category: undefined }],
    ['no benchmarks', { ...COLLECTION, benchmarks: undefined }],
    ['an empty list', { ...COLLECTION, benchmarks: [] }],
  ] as const)('with %s are refused', async ([, body], { call }) => {
    expect(await call('POST', '/collections', body)).toMatchObject({ status: 400, body: { message_code: 'request_validation_failed' } })
  })

  test('are created, replaced, patched and deleted', async ({ call }) => {
    const { body } = await call('POST', '/collections', { ...COLLECTION, description: null, pass_criteria: { threshold: 0 } })
    const at = `/collections/${body.resource.id}`
    expect(body).toMatchObject({ ...COLLECTION, description: '', pass_criteria: { threshold: 0 } })
    expect((await call('PUT', at, { ...COLLECTION, name: 'new' })).body).toMatchObject({ name: 'new' })
    const patch = [
      { op: 'replace', path: '/benchmarks/0/id', value: 'second' },
      { op: 'replace', path: '/tasks', value: ['qa'] },
    ]
    expect((await call('PATCH', at, patch)).body).toMatchObject({ tasks: ['qa'], benchmarks: [{ id: 'second', weight: 2 }] })
    for (const path of ['/agent', '/pass_criteria/threshold']) {
      expect(await call('PATCH', at, [{ op: 'replace', path, value: 1 }])).toMatchObject({ body: { message_code: 'unallowed_patch' } })
    }
    expect(await call('PATCH', at, [{ op: 'replace', path: '/benchmarks', value: [] }])).toMatchObject({ status: 400 })
    expect(await call('DELETE', at)).toMatchObject({ status: 204 })
    expect(await call('GET', at)).toMatchObject({ status: 404 })
  })

  test('that are curated are not patched', async ({ call }) => {
    const { id } = (await call('POST', '/collections', { ...COLLECTION, curation_order: 1 })).body.resource
    expect(await call('PATCH', `/collections/${id}`, [])).toMatchObject({ status: 400, body: { message_code: 'read_only_collection' } })
  })
})
