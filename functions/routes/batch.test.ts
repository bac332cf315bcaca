import { describe, expect } from 'vitest'
import { event, JOB, test } from '../test-app.ts'

const named = (name: string, more: object = {}) => ({ ...JOB, name, ...more })
const unknown = (id: string) => ({ benchmarks: [{ id: 'first', provider_id: id }] })

type Outcome = { status: number; job?: { name: string; resource: { id: string } }; error?: { message_code: string } }
const idsOf = (items: Outcome[]) => items.map(({ job }) => job?.resource.id)

describe('POST /batch/jobs', () => {
  test('answers each job as if it had come alone, and a refused one hurts no other', async ({ call }) => {
    const bad = [named('b', unknown('nobody')), { name: 'c' }, null, named('e', { collection: { id: 'x' }, benchmarks: undefined })]
    const { status, body } = await call('POST', '/batch/jobs', { jobs: [named('a'), ...bad, named('f')] })
    expect(status).toBe(200)
    expect(body.items.map((item: Outcome) => item.status)).toEqual([202, 404, 400, 400, 404, 202])

    for (const [at, job] of bad.entries()) {
      const alone = await call('POST', '/jobs', job)
      const { status: refused, error } = body.items[at + 1]
      expect({ status: refused, ...error, trace: '' }).toEqual({ status: alone.status, ...alone.body, trace: '' })
    }
    const list = await call('GET', '/jobs')
    expect(list.body.items.map(({ name }: { name: string }) => name)).toEqual(['f', 'a'])
    const alone = await call('GET', `/jobs/${body.items[0].job.resource.id}`)
    delete alone.body.resource.updated_at // as in the answer to a single submit
    expect(body.items[0].job).toEqual(alone.body)
  })

  test('takes a hundred jobs, in their order', async ({ call }) => {
    const jobs = Array.from({ length: 100 }, (_, at) =>
      named(String(at), at % 2 ? { benchmarks: undefined, collection: { id: 'pair-v1' } } : {}),
    )
    const { body } = await call('POST', '/batch/jobs', { jobs })
    expect(body.items.map(({ job }: Outcome) => job?.name)).toEqual(jobs.map(({ name }) => name))
    const ids = idsOf(body.items)
    expect([...ids].sort()).toEqual(ids)
    expect((await call('GET', '/jobs?limit=1')).body.total_count).toBe(100)
  })

  test.for([
    ['no jobs', { jobs: [] }],
    ['more than a hundred', { jobs: Array.from({ length: 101 }, () => JOB) }],
    ['no list', { jobs: JOB }],
    ['a single job', JOB],
    ['what is no JSON', '{"jobs":['],
  ])('refuses %s as a whole', async ([, body], { call }) => {
    expect(await call('POST', '/batch/jobs', body)).toMatchObject({ status: 400 })
    expect((await call('GET', '/jobs')).body.total_count).toBe(0)
  })

  test('has the same bound of its body as every route', async ({ call }) => {
    const jobs = Array.from({ length: 100 }, () => named('x'.repeat(1000)))
    expect(await call('POST', '/batch/jobs', { jobs })).toMatchObject({ status: 413, body: { message_code: 'request_body_too_large' } })
  })
})

describe('a batch with an Idempotency-Key', () => {
  const key = { 'Idempotency-Key': 'sweep' }

  test('is submitted once, also by many at the same time', async ({ call }) => {
    const jobs = Array.from({ length: 10 }, (_, at) => named(String(at)))
    const answers = await Promise.all(Array.from({ length: 20 }, () => call('POST', '/batch/jobs', { jobs }, key)))
    const [first, ...others] = answers.map(({ body }) => idsOf(body.items))
    expect(new Set(first).size).toBe(10)
    for (const other of others) expect(other).toEqual(first)
    expect((await call('GET', '/jobs')).body.total_count).toBe(10)
  })

  test('repeats what was refused, and takes no other job under the same key', async ({ call }) => {
    const once = await call('POST', '/batch/jobs', { jobs: [named('a'), named('b', unknown('later'))] }, key)
    expect(once.body.items.map((item: Outcome) => item.status)).toEqual([202, 404])
    const again = await call('POST', '/batch/jobs', { jobs: [named('another'), named('b')] }, key)
    expect(again.body.items).toMatchObject([{ status: 409, error: { message_code: 'idempotency_key_reused' } }, { status: 202 }])
  })

  test('has the keys k/0, k/1, … for its jobs, which a single submit may name', async ({ call }) => {
    const { body } = await call('POST', '/batch/jobs', { jobs: [named('a'), named('b')] }, key)
    const alone = await call('POST', '/jobs', JSON.stringify(named('b'), null, 2), { 'Idempotency-Key': 'sweep/1' })
    expect(alone.body.resource.id).toBe(idsOf(body.items)[1])
  })
})

describe('POST /batch/jobs/states', () => {
  test('says where jobs stand, in the order of the question, and which ids are nobody’s', async ({ call }) => {
    const pair = { benchmarks: undefined, collection: { id: 'pair-v1' } }
    const { items } = (await call('POST', '/batch/jobs', { jobs: [named('a'), named('b', pair), named('c')] })).body
    const [a, b, c] = idsOf(items) as [string, string, string]
    await call('POST', `/jobs/${a}/events`, event('completed', { metrics: { acc: 0.75 } }))
    await call('POST', `/jobs/${b}/events`, event('completed', { metrics: { acc: 0.75 } }))
    await call('POST', `/jobs/${b}/events`, event('running', { progress: 0.5 }, 'second', 1))
    await call('DELETE', `/jobs/${c}?hard_delete=true`)

    const missing = crypto.randomUUID()
    const { status, body } = await call('POST', '/batch/jobs/states', { ids: [b, 'no uuid', a.toUpperCase(), missing, b, c] })
    expect(status).toBe(200)
    const none = { total: 0, pending: 0, running: 0, completed: 0, failed: 0, cancelled: 0 }
    const test = { score: 0.75, threshold: 0.5, pass: true }
    expect(body).toEqual({
      items: [
        {
          id: b,
          state: 'running',
          updated_at: expect.any(String),
          progress: 0.75,
          benchmarks: { ...none, total: 2, running: 1, completed: 1 },
        },
        { id: a, state: 'completed', updated_at: expect.any(String), progress: 1, benchmarks: { ...none, total: 1, completed: 1 }, test },
      ],
      not_found: ['no uuid', missing, c],
    })
    expect(body.items[1].updated_at).toBe((await call('GET', `/jobs/${a}`)).body.resource.updated_at)
  })

  test('takes a thousand ids', async ({ call }) => {
    const jobs = Array.from({ length: 100 }, (_, at) => named(String(at)))
    const batches = await Promise.all(Array.from({ length: 10 }, () => call('POST', '/batch/jobs', { jobs })))
    const ids = batches.flatMap(({ body }) => idsOf(body.items))
    const { body } = await call('POST', '/batch/jobs/states', { ids })
    expect(body.items.map(({ id }: { id: string }) => id)).toEqual(ids)
    expect(await call('POST', '/batch/jobs/states', { ids: [...ids, ids[0]] })).toMatchObject({ status: 400 })
    expect(await call('POST', '/batch/jobs/states', { ids: [] })).toMatchObject({ status: 400 })
  })
})
