import { describe, expect } from 'vitest'
import { event, JOB, test } from './test-app.ts'

/** Input that no table of the contract names, and that must not become a 500. */
describe('what the database cannot hold is the caller’s mistake', () => {
  test.for([
    ['GET', '/jobs/%00', 404],
    ['DELETE', '/jobs/a%00', 404],
    ['GET', '/jobs/%00/logs', 404],
    ['GET', '/providers/%00', 404],
    ['DELETE', '/providers/a%00', 404],
    ['GET', '/collections/%00', 404],
    ['DELETE', '/collections/a%00', 404],
    ['GET', '/jobs?name=%00', 400],
    ['GET', '/jobs?tags=a,%00', 400],
    ['GET', '/providers?owner=%00', 400],
    ['GET', '/collections?category=%00', 400],
    ['GET', '/jobs?limit=999999999999999&offset=999999999999999', 200],
    ['GET', '/jobs?limit=99999999999999999999', 400],
    ['GET', '/jobs?name=%ff', 200],
    ['GET', '/jobs/%', 404],
    ['GET', '/jobs/%E0%A4%A', 404],
  ] as const)('%s %s answers %i', async ([method, path, status], { call }) => {
    expect(await call(method, path)).toMatchObject({ status })
  })

  test.for([
    ['an index beyond 32 bits', event('running', {}, 'first', 3_000_000_000)],
    ['the same in an end', event('completed', {}, 'first', 3_000_000_000)],
    ['a negative index', event('running', {}, 'first', -1)],
  ] as const)('an event with %s finds no benchmark', async ([, body], { call }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    expect(await call('POST', `/jobs/${id}/events`, body)).toMatchObject({ status: 404, body: { message_code: 'resource_not_found' } })
  })

  const own = (more: object) => JSON.stringify({ ...JOB, ...more })
  test.for([
    ['a threshold beyond 32 bits', own({ pass_criteria: { threshold: 1e39 } }), 'request_validation_failed'],
    ['many digits and a short exponent', own({ custom: { a: 7777 } }).replace('7777', `${'9'.repeat(250)}e99`), 'invalid_json_request'],
    ['a number beyond 64 bits', own({ custom: { a: 7777 } }).replace('7777', '1e999'), 'invalid_json_request'],
    [
      '6,000 lists in each other',
      own({ custom: { a: 7777 } }).replace('7777', '['.repeat(6000) + ']'.repeat(6000)),
      'invalid_json_request',
    ],
    ['half a surrogate pair', own({ name: 'x' }).replace('"x"', '"\\ud800"'), 'invalid_json_request'],
    ['an experiment, without an MLflow', own({ experiment: { name: 'e' } }), 'mlflow_required_for_experiment'],
  ] as const)('a job with %s is refused', async ([, body, code], { call }) => {
    expect(await call('POST', '/jobs', body)).toMatchObject({ status: 400, body: { message_code: code } })
    expect((await call('GET', '/jobs')).body.total_count).toBe(0)
  })

  test('a body that is no UTF-8 is read as text all the same, or refused', async ({ app }) => {
    const body = Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xff, 0xfe, 0x00]), Buffer.from('"}')])
    const response = await app.request('http://localhost/api/v1/evaluations/providers', { method: 'POST', body })
    expect(response.status).toBe(400) // U+0000 stands in it as it is
    const odd = Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xff]), Buffer.from('"}')])
    const taken = await app.request('http://localhost/api/v1/evaluations/providers', { method: 'POST', body: odd })
    expect(await taken.json()).toMatchObject({ name: '\ufffd' })
  })

  const nested = (levels: number, text: string) => '['.repeat(levels) + text + ']'.repeat(levels)
  test.for([
    ['POST', '/jobs', (value: string) => own({ custom: { a: 7777 } }).replace('7777', value)],
    ['POST', '/batch/jobs', (value: string) => `{"jobs":[${own({ custom: { a: 7777 } }).replace('7777', value)}]}`],
    ['POST', '/batch/jobs/states', (value: string) => `{"ids":${value}}`],
    ['POST', '/providers', (value: string) => `{"name":"x","other":${value}}`],
    ['POST', '/collections', (value: string) => `{"custom":{"a":${value}}}`],
    ['PUT', '/collections/x', (value: string) => `{"custom":{"a":${value}}}`],
    ['PATCH', '/collections/x', (value: string) => `[{"op":"add","path":"/custom/a","value":${value}}]`],
    ['POST', '/jobs/x/events', (value: string) => `{"benchmark_status_event":{"metrics":{"a":${value}}}}`],
  ] as const)('%s %s refuses what is nested too deep, whatever escapes are in it', async ([method, path, around], { call }) => {
    for (const levels of [1001, 5001, 25_000]) {
      for (const text of ['', '"\\u0000"', '"\\ud83d\\ude00"', '1e999']) {
        const answer = await call(method, path, around(nested(levels, text)))
        expect(answer).toMatchObject({ status: 400, body: { message_code: 'invalid_json_request' } })
      }
    }
  })

  test('patches make nothing deeper than a body may be', async ({ call }) => {
    const config = { name: 'x', category: 'c', custom: {}, benchmarks: [{ id: 'first', provider_id: 'frame' }] }
    const path = `/collections/${(await call('POST', '/collections', config)).body.resource.id}`
    const deep = '{"a":'.repeat(900) + '1' + '}'.repeat(900)
    const patch = (at: string) => `[{"op":"add","path":"/custom/b${at}","value":${deep}}]`
    expect(await call('PATCH', path, patch(''))).toMatchObject({ status: 200 })
    expect(await call('PATCH', path, patch('/a'.repeat(900)))).toMatchObject({
      status: 400,
      body: { message_code: 'invalid_json_request' },
    })
    expect(await call('GET', path)).toMatchObject({ status: 200 })
  })

  const noise = Array.from({ length: 9000 }, (_, at) => String.fromCodePoint(0x4e00 + ((at * 7919) % 9973))).join('')
  test('a name, a benchmark id, a tenant or a user that is too long to be indexed or kept is refused', async ({ call }) => {
    const named = (name: string, headers = {}) => call('POST', '/jobs', { ...JOB, name }, headers)
    // In UTF-8 three bytes each, and no database can make them shorter.
    expect(await named(noise.slice(0, 3000))).toMatchObject({ status: 400, body: { message: expect.stringContaining('1024 bytes') } })
    expect(await named(noise.slice(0, 342))).toMatchObject({ status: 400 })
    expect(await named(noise.slice(0, 341), { 'X-Tenant': 'é'.repeat(126) })).toMatchObject({ status: 202 })
    expect(await named('x', { 'X-Tenant': 'é'.repeat(127) })).toMatchObject({ status: 400 })
    expect(await named('x', { 'X-User': 'x'.repeat(1025) })).toMatchObject({ status: 400 })
    expect(await named('x', { 'X-User': 'x'.repeat(1024) })).toMatchObject({ status: 202 })
    const { items } = (await call('POST', '/batch/jobs', { jobs: [{ ...JOB, name: noise.slice(0, 3000) }, JOB] })).body
    expect(items).toMatchObject([{ status: 400 }, { status: 202 }])
    expect(await call('POST', '/providers', { benchmarks: [{ id: noise }] })).toMatchObject({ status: 400 })
    expect(await call('POST', '/providers', { benchmarks: [{ id: noise.slice(0, 512) }] })).toMatchObject({ status: 201 })
    expect(await call('POST', '/jobs', JOB, { 'X-Tenant': 'x'.repeat(254) })).toMatchObject({ status: 400 })
    expect(await call('POST', '/jobs', JOB, { 'X-Tenant': 'x'.repeat(253) })).toMatchObject({ status: 202 })
    expect(await call('GET', `/jobs?name=${encodeURIComponent(noise.slice(0, 256))}`)).toMatchObject({ status: 200 })
  })

  test('more than 50 versions in If-Match are refused, whatever is to be changed', async ({ call }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    const tags = (count: number) => ({ 'If-Match': Array.from({ length: count }, (_, at) => `"${at}"`).join(', ') })
    for (const path of [`/jobs/${id}`, '/providers/frame', '/collections/pair-v1']) {
      const refused = { status: 400, body: { message_code: 'request_validation_failed', message: expect.stringContaining('51 versions') } }
      expect(await call('DELETE', path, undefined, tags(51))).toMatchObject(refused)
      expect(await call('DELETE', path, undefined, tags(50))).toMatchObject({ status: 412 })
    }
  })

  test('a score beyond 32 bits is stored as the largest number there is, and never as null', async ({ call }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    await call('POST', `/jobs/${id}/events`, event('completed', { metrics: { acc: 1e300 } }))
    const { text, body } = await call('GET', `/jobs/${id}`)
    expect(body.results.benchmarks[0]).toMatchObject({ metrics: { acc: 1e300 }, test: { primary_score: 3.4028235e38, pass: true } })
    expect(text).not.toContain('null')
  })

  test('a patch into what is no list and no object is refused', async ({ call }) => {
    const { id } = (await call('POST', '/providers', { tags: ['a'] })).body.resource
    for (const path of ['/tags/0/x', '/agent/summary/x', '/benchmarks/0/id/x']) {
      expect(await call('PATCH', `/providers/${id}`, [{ op: 'replace', path, value: 1 }])).toMatchObject({
        status: 400,
        body: { message_code: 'invalid_json_request' },
      })
    }
  })
})
