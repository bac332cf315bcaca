import { describe, expect } from 'vitest'
import { event, JOB, test } from '../test-app.ts'

describe('POST /jobs', () => {
  test('answers 202 with every benchmark pending, and GET answers the same', async ({ call, tenant }) => {
    const { status, body } = await call('POST', '/jobs', { ...JOB, tags: ['a'], unknown: 1 })
    expect(status).toBe(202)
    expect(body).toMatchObject({
      resource: { tenant, owner: 'ann' },
      status: { state: 'pending', message: { message_code: 'evaluation_job_created' } },
      results: {},
      ...JOB,
      tags: ['a'],
    })
    expect(body.status.benchmarks).toEqual([
      { provider_id: 'frame', id: 'first', benchmark_index: 0, status: 'pending', effective_parameters: {} },
    ])
    expect(body).not.toHaveProperty('unknown')
    expect(body.resource).not.toHaveProperty('updated_at')

    const read = (await call('GET', `/jobs/${body.resource.id}`)).body
    expect(read).toEqual({ ...body, resource: { ...body.resource, updated_at: expect.any(String) } })
  })

  test('reads keys in any case, null as absent, and any Content-Type', async ({ call }) => {
    const body =
      '{"NAME":"n","description":null,"Model":{"URL":"http://h/v1","Name":"m"},"benchmarks":[{"ID":"first","Provider_Id":"frame"}]}'
    const answer = await call('POST', '/jobs', body, { 'Content-Type': 'text/plain' })
    expect(answer).toMatchObject({ status: 202, body: { name: 'n', model: { url: 'http://h/v1', name: 'm' } } })
    expect(answer.body).not.toHaveProperty('description')
  })

  const refused: [string, unknown, number, string, RegExp][] = [
    ['malformed JSON', '{"name":', 400, 'invalid_json_request', /./],
    ['an empty body', '', 400, 'invalid_json_request', /empty/],
    ['trailing text', '{} {}', 400, 'invalid_json_request', /./],
    ['a wrong type', { ...JOB, name: 7 }, 400, 'invalid_json_request', /name/],
    ['a list for an object', [], 400, 'invalid_json_request', /./],
    ['U+0000', '{"name":"a\\u0000b"}', 400, 'invalid_json_request', /U\+0000/],
    ['null', 'null', 400, 'request_validation_failed', /EvaluationJobConfig\.name' .*'required' tag/],
    ['no name', { ...JOB, name: undefined }, 400, 'request_validation_failed', /'EvaluationJobConfig\.name'/],
    ['an empty name', { ...JOB, name: '' }, 400, 'request_validation_failed', /'required' tag/],
    ['no benchmark id', { ...JOB, benchmarks: [{ provider_id: 'frame' }] }, 400, 'request_validation_failed', /benchmarks\[0\]\.id/],
    ['neither benchmarks nor collection', { ...JOB, benchmarks: [] }, 400, 'request_validation_failed', /minimum one benchmark/],
    ['both', { ...JOB, collection: { id: 'pair-v1' } }, 400, 'request_validation_failed', /benchmarks or collection/],
    ['a tag with a comma', { ...JOB, tags: ['a,b'] }, 400, 'request_validation_failed', /'tagname' tag/],
    ['a negative weight', { ...JOB, benchmarks: [{ ...JOB.benchmarks[0], weight: -1 }] }, 400, 'request_validation_failed', /'min' tag/],
    ['a threshold of null', { ...JOB, pass_criteria: { threshold: null } }, 400, 'request_validation_failed', /threshold/],
    [
      'an unknown provider',
      { ...JOB, benchmarks: [{ id: 'first', provider_id: 'none' }] },
      404,
      'resource_not_found',
      /provider resource 'none'/,
    ],
    ['an unknown benchmark', { ...JOB, benchmarks: [{ id: 'none', provider_id: 'frame' }] }, 400, 'resource_does_not_exist', /none/],
    ['an unknown collection', { ...JOB, benchmarks: undefined, collection: { id: 'none' } }, 404, 'resource_not_found', /collection/],
    ['no model url', { ...JOB, model: { name: 'm' } }, 400, 'model_url_required', /model URL/],
    [
      'a model url that is a script',
      { ...JOB, model: { name: 'm', url: 'javascript:alert(1)' } },
      400,
      'request_validation_failed',
      /model\.url must name a place/,
    ],
    [
      'a model url with a password',
      { ...JOB, model: { name: 'm', url: 'http://ann:pw@h/v1' } },
      400,
      'request_validation_failed',
      /model\.url must hold no user name and no password.*secret_ref/,
    ],
    ['a blank model url', { ...JOB, model: { name: 'm', url: '  ' } }, 400, 'request_validation_failed', /'url' tag/],
    [
      'a commit that only the hub may write',
      { ...JOB, benchmarks: [{ ...JOB.benchmarks[0], test_data_ref: { hf: { repo_id: 'a' }, resolved_sha: 'abcdef1' } }] },
      400,
      'resolved_sha_read_only',
      /resolved_sha/,
    ],
  ]
  test.for(refused)('refuses %s, and stores nothing', async ([, body, status, code, message], { call, db, tenant }) => {
    const answer = await call('POST', '/jobs', body)
    expect(answer).toMatchObject({ status, body: { message_code: code, message: expect.stringMatching(message) } })
    expect(answer.body.trace).toBe(answer.headers.get('x-global-transaction-id'))
    const [row] = await db`select (select count(*) from evalhub.evaluations where tenant = ${tenant}) as jobs,
      (select count(*) from evalhub.launch_queue where tenant = ${tenant}) as queued`
    expect(row).toEqual({ jobs: 0, queued: 0 })
  })

  test('refuses more than the limit, whether the length is said or not, and takes exactly as much', async ({ call, app }) => {
    const fill = (bytes: number) =>
      JSON.stringify({ ...JOB, description: '' }).replace('"description":""', `"description":"${'x'.repeat(bytes)}"`)
    const room = 64 * 1024 - Buffer.byteLength(fill(0))
    expect(await call('POST', '/jobs', fill(room))).toMatchObject({ status: 202 })
    expect(await call('POST', '/jobs', fill(room + 1))).toMatchObject({ status: 413, body: { message_code: 'request_body_too_large' } })
    const stream = new Blob([fill(room + 1)]).stream()
    const unsized = await app.request('http://localhost/api/v1/evaluations/jobs', {
      method: 'POST',
      body: stream,
      duplex: 'half',
    } as RequestInit)
    expect(unsized.status).toBe(413)
  })

  test('merges a collection with what the job adds', async ({ call, db }) => {
    const benchmarks = [{ id: 'second', provider_id: 'frame', parameters: { shots: 9, extra: 1, num_examples: 5 } }]
    const { body } = await call('POST', '/jobs', { ...JOB, benchmarks: undefined, collection: { id: 'pair-v1', benchmarks } })
    expect(body.collection.collection_updated_at).toEqual(expect.any(String))
    const specs = await db`select spec from evalhub.runs where evaluation_id = ${body.resource.id} order by benchmark_index`
    expect(specs.map(({ spec }) => spec)).toMatchObject([
      { weight: 3, num_examples: 5, threshold: { value: 0.5, source: 'provider' } },
      { weight: 1, num_examples: 5, parameters: { shots: 2, extra: 1 } },
    ])
    const strange = { id: 'none', provider_id: 'frame' }
    const refusal = await call('POST', '/jobs', { ...JOB, benchmarks: undefined, collection: { id: 'pair-v1', benchmarks: [strange] } })
    expect(refusal).toMatchObject({ status: 400, body: { message_code: 'resource_does_not_exist' } })
  })
})

describe('GET /jobs', () => {
  test('pages newest first, with the links of the contract', async ({ call }) => {
    const ids: string[] = []
    for (const name of ['a', 'b', 'c']) ids.unshift((await call('POST', '/jobs', { ...JOB, name })).body.resource.id)
    const { body } = await call('GET', '/jobs?limit=2')
    expect(body).toMatchObject({
      first: { href: '/api/v1/evaluations/jobs?limit=2' },
      next: { href: '/api/v1/evaluations/jobs?limit=2&offset=2' },
      limit: 2,
      total_count: 3,
    })
    const rest = await call('GET', body.next.href.replace('/api/v1/evaluations', ''))
    expect([...body.items, ...rest.body.items].map(({ resource }: { resource: { id: string } }) => resource.id)).toEqual(ids)
    expect(rest.body).not.toHaveProperty('next')
    expect((await call('GET', '/jobs?limit=0')).body.items).toHaveLength(3)
  })

  test.for([
    ['name=a', ['a']],
    ['name=none', []],
    ['tags=x', ['a', 'b']],
    ['tags=x,y', ['b']],
    ['tags=x&tags=y', ['b']],
    ['tags=y%7Cz', ['b', 'c']],
    ['status=pending', ['a', 'b', 'c']],
    ['status=completed', []],
    ['status=!pending', []],
    ['owner=ann', ['a', 'b', 'c']],
    ['owner=!ann', []],
    ['experiment_id=e', []],
    ['experiment_id=!e', ['a', 'b', 'c']],
  ] as [string, string[]][])('filters by %s', async ([query, names], { call }) => {
    for (const [name, tags] of Object.entries({ a: ['x'], b: ['x', 'y'], c: ['z'] })) await call('POST', '/jobs', { ...JOB, name, tags })
    const { body } = await call('GET', `/jobs?${query}`)
    expect(body.items.map(({ name }: { name: string }) => name).sort()).toEqual(names)
    expect(body.total_count).toBe(names.length)
  })

  test.for([
    ['limit=-1', 'query_parameter_invalid'],
    ['limit=abc', 'query_parameter_invalid'],
    ['offset=-1', 'query_parameter_invalid'],
    ['limt=1', 'query_bad_parameter'],
  ] as const)('refuses %s', async ([query, code], { call }) => {
    expect(await call('GET', `/jobs?${query}`)).toMatchObject({ status: 400, body: { message_code: code } })
  })
})

describe('DELETE /jobs/:id', () => {
  test('cancels once and for all, and refuses a job that has ended', async ({ call }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    expect(await call('DELETE', `/jobs/${id}`)).toMatchObject({ status: 204, text: '' })
    const { body } = await call('GET', `/jobs/${id}`)
    expect(body.status).toMatchObject({ state: 'cancelled', message: { message_code: 'evaluation_job_cancelled' } })
    expect(body.status.benchmarks[0]).toMatchObject({ status: 'cancelled', error_message: { message: 'Evaluation job cancelled' } })
    expect(await call('DELETE', `/jobs/${id}`)).toMatchObject({ status: 204 })

    const done = (await call('POST', '/jobs', JOB)).body.resource.id
    await call('POST', `/jobs/${done}/events`, event('completed', { metrics: { acc: 1 } }))
    const refusal = await call('DELETE', `/jobs/${done}`)
    expect(refusal).toMatchObject({ status: 409, body: { message_code: 'job_can_not_be_updated' } })
    expect(refusal.body.message).toContain('can not be cancelled because')
  })

  test('with hard_delete is gone at once, in every state', async ({ call }) => {
    for (const status of ['pending', 'running', 'completed', 'failed']) {
      const { id } = (await call('POST', '/jobs', JOB)).body.resource
      await call('POST', `/jobs/${id}/events`, event(status))
      expect(await call('DELETE', `/jobs/${id}?hard_delete=true`)).toMatchObject({ status: 204 })
      expect(await call('GET', `/jobs/${id}`)).toMatchObject({ status: 404 })
      expect(await call('DELETE', `/jobs/${id}?hard_delete=true`)).toMatchObject({ status: 404 })
      expect(await call('POST', `/jobs/${id}/events`, event('running'))).toMatchObject({ status: 404 })
    }
    expect((await call('GET', '/jobs')).body.total_count).toBe(0)
  })

  test('refuses a hard_delete that is no boolean, and an unknown id', async ({ call }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    expect(await call('DELETE', `/jobs/${id}?hard_delete=maybe`)).toMatchObject({
      status: 400,
      body: { message_code: 'query_parameter_invalid' },
    })
    expect((await call('GET', `/jobs/${id}`)).body.status.state).toBe('pending')
    for (const query of ['', '?hard_delete=maybe', '?hard_delete=true']) {
      expect(await call('DELETE', `/jobs/none${query}`)).toMatchObject({ status: 404, body: { message_code: 'resource_not_found' } })
    }
  })
})

describe('tenants', () => {
  test("never see another's job", async ({ call }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    const stranger = { 'X-Tenant': 'stranger' }
    for (const [method, path] of [
      ['GET', `/jobs/${id}`],
      ['DELETE', `/jobs/${id}`],
      ['DELETE', `/jobs/${id}?hard_delete=1`],
      ['GET', `/jobs/${id}/logs`],
      ['GET', `/jobs/${id}/benchmarks/0/logs`],
    ] as const) {
      expect({ method, path, ...(await call(method, path, undefined, stranger)) }).toMatchObject({ status: 404 })
    }
    expect((await call('GET', '/jobs', undefined, stranger)).body.total_count).toBe(0)
  })

  test('without a tenant the operator of a local hub sees every job', async ({ call }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    expect(await call('GET', `/jobs/${id}`, undefined, { 'X-Tenant': '' })).toMatchObject({ status: 200 })
  })
})

describe('Idempotency-Key', () => {
  const key = { 'Idempotency-Key': 'k-1' }

  // Guarantee: however often and at however many times at once a submit is repeated, one job runs.
  test('makes 1,000 tries at once one job', async ({ call }) => {
    const answers = await Promise.all(Array.from({ length: 1000 }, () => call('POST', '/jobs', JOB, key)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
    expect(new Set(answers.map(({ body }) => body.resource.id)).size).toBe(1)
    expect((await call('GET', '/jobs')).body.total_count).toBe(1)
  })

  test('refuses another body, and does not cross tenants', async ({ call }) => {
    const { body } = await call('POST', '/jobs', JOB, key)
    expect(await call('POST', '/jobs', { ...JOB, name: 'other' }, key)).toMatchObject({
      status: 409,
      body: { message_code: 'idempotency_key_reused' },
    })
    const other = await call('POST', '/jobs', JOB, { ...key, 'X-Tenant': 'another' })
    expect(other.body.resource.id).not.toBe(body.resource.id)
  })

  test('answers the resource as it is now, 404 once it is deleted, and is free again after a day', async ({ call, db, tenant }) => {
    const { id } = (await call('POST', '/jobs', JOB, key)).body.resource
    await call('POST', `/jobs/${id}/events`, event('running'))
    expect((await call('POST', '/jobs', JOB, key)).body.status.state).toBe('running')
    await call('DELETE', `/jobs/${id}?hard_delete=true`)
    expect(await call('POST', '/jobs', JOB, key)).toMatchObject({ status: 404 })
    await db`update evalhub.idempotency_keys set expires_at = now() where tenant = ${tenant}`
    expect(await call('POST', '/jobs', JOB, key)).toMatchObject({ status: 202 })
  })

  test.for(['providers', 'collections'])('makes repeated %s one', async (noun, { call }) => {
    const body = { name: 'n', category: 'c', benchmarks: [{ id: 'first', provider_id: 'frame' }] }
    const answers = await Promise.all(Array.from({ length: 20 }, () => call('POST', `/${noun}`, body, key)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    expect(new Set(answers.map((answer) => answer.body.resource.id)).size).toBe(1)
    expect(await call('POST', `/${noun}`, { ...body, name: 'm' }, key)).toMatchObject({ status: 409 })
  })
})
