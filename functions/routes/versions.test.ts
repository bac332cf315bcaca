import { describe, expect } from 'vitest'
import { event, JOB, test, type Call } from '../test-app.ts'

const PROVIDER = { name: 'mine', benchmarks: [{ id: 'b' }] }
const COLLECTION = { name: 'mine', category: 'c', benchmarks: [{ id: 'first', provider_id: 'frame' }] }
const REFUSED = { status: 412, body: { message_code: 'precondition_failed' } }

const tagOf = async (call: Call, path: string): Promise<string> => (await call('GET', path)).headers.get('etag') ?? ''
const rename = (name: string) => [{ op: 'replace', path: '/name', value: name }]

describe.each([
  ['providers', PROVIDER],
  ['collections', COLLECTION],
] as const)('a version of %s', (noun, body) => {
  test('is named by the answers to POST, GET, PUT and PATCH, and is another one after a change', async ({ call }) => {
    const created = await call('POST', `/${noun}`, body)
    const path = `/${noun}/${created.body.resource.id}`
    expect(created.headers.get('location')).toBe(`/api/v1/evaluations${path}`)
    const tags = [created.headers.get('etag'), await tagOf(call, path)]
    expect(tags[0]).toMatch(/^"[!#-~]+"$/)
    expect(tags[1]).toBe(tags[0])
    const replaced = (await call('PUT', path, { ...body, name: 'b' })).headers.get('etag')
    expect(await tagOf(call, path)).toBe(replaced)
    const patched = (await call('PATCH', path, rename('c'))).headers.get('etag')
    expect(await tagOf(call, path)).toBe(patched)
    expect(new Set([tags[0], replaced, patched]).size).toBe(3)
  })

  test.for([
    ['PUT', body],
    ['PATCH', rename('late')],
    ['DELETE', undefined],
  ] as const)('is required by If-Match of a %s', async ([method, change], { call }) => {
    const { id } = (await call('POST', `/${noun}`, body)).body.resource
    const path = `/${noun}/${id}`
    const old = await tagOf(call, path)
    await call('PATCH', path, rename('newer'))
    for (const tags of [old, `W/${await tagOf(call, path)}`, `${old}, "other"`, 'no tag', '']) {
      expect({ tags, ...(await call(method, path, change, { 'If-Match': tags })) }).toMatchObject(REFUSED)
    }
    expect((await call('GET', path)).body.name).toBe('newer')
    const status = method === 'DELETE' ? 204 : 200
    expect(await call(method, path, change, { 'If-Match': `${old}, ${await tagOf(call, path)}` })).toMatchObject({ status })
    expect(await call(method, `/${noun}/none`, change, { 'If-Match': old })).toMatchObject({ status: 404 })
  })

  test('may be any for If-Match: *', async ({ call }) => {
    const { id } = (await call('POST', `/${noun}`, body)).body.resource
    expect(await call('PATCH', `/${noun}/${id}`, rename('x'), { 'If-Match': '*' })).toMatchObject({ status: 200 })
    expect(await call('DELETE', `/${noun}/${id}`, undefined, { 'If-Match': ' * ' })).toMatchObject({ status: 204 })
  })

  // Guarantee: of changes that start from one version one is made, and of changes that start from none all are.
  test('is changed by one of 20 at once that name it, and by each of 20 that name none', async ({ call }) => {
    const { id } = (await call('POST', `/${noun}`, { ...body, tags: [] })).body.resource
    const path = `/${noun}/${id}`
    const tag = await tagOf(call, path)
    const add = (tags: string) => [{ op: 'add', path: '/tags/-', value: tags }]
    const guarded = await Promise.all(Array.from({ length: 20 }, (_, at) => call('PATCH', path, add(`g${at}`), { 'If-Match': tag })))
    expect(guarded.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 19 }, () => 412)])
    const free = await Promise.all(Array.from({ length: 20 }, (_, at) => call('PATCH', path, add(`f${at}`))))
    expect(new Set(free.map(({ status }) => status))).toEqual(new Set([200]))
    expect(new Set(free.map(({ headers }) => headers.get('etag'))).size).toBe(20)
    expect((await call('GET', path)).body.tags).toHaveLength(21)
  })
})

describe('a version of a job', () => {
  test('is another one after each event, progress included, and the same without', async ({ call }) => {
    const created = await call('POST', '/jobs', JOB)
    const { id } = created.body.resource
    expect(created.headers.get('location')).toBe(`/api/v1/evaluations/jobs/${id}`)
    const tags = [await tagOf(call, `/jobs/${id}`), await tagOf(call, `/jobs/${id}`)]
    expect(tags[0]).toBe(tags[1])
    for (const more of [{ progress: 0.1 }, { progress: 0.2 }]) {
      await call('POST', `/jobs/${id}/events`, event('running', more))
      tags.push(await tagOf(call, `/jobs/${id}`))
    }
    expect(new Set(tags).size).toBe(3)
  })

  test.for(['', '?hard_delete=true'])('is required by If-Match of a DELETE%s', async (query, { call }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    const old = await tagOf(call, `/jobs/${id}`)
    await call('POST', `/jobs/${id}/events`, event('running'))
    expect(await call('DELETE', `/jobs/${id}${query}`, undefined, { 'If-Match': old })).toMatchObject(REFUSED)
    expect((await call('GET', `/jobs/${id}`)).body.status.state).toBe('running')
    expect(await call('DELETE', `/jobs/${id}${query}`, undefined, { 'If-Match': await tagOf(call, `/jobs/${id}`) })).toMatchObject({
      status: 204,
    })
  })
})
