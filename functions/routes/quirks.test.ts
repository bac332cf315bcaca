import { describe, expect } from 'vitest'
import { event, JOB, test } from '../test-app.ts'

const PAIR = { ...JOB, benchmarks: undefined, collection: { id: 'pair-v1' } }
const PROVIDER = { name: 'p', benchmarks: [{ id: 'b' }] }
const COLLECTION = { name: 'c', category: 'c', benchmarks: [{ id: 'first', provider_id: 'frame' }] }

/**
 * Section 16 of the contract: odd, and clients depend on it. Its numbers are the names here. 7, 15 (regressions), 28 and 35 are deliberately
 * otherwise, 5 in part (docs/compatibility.md); 24 to 31 are logs, job.json and pods, tested with the bridge and the sidecar.
 */
describe('quirk', () => {
  test('1: 202 for a job, 201 for providers and collections', async ({ call }) => {
    const statuses = [
      await call('POST', '/jobs', JOB),
      await call('POST', '/providers', PROVIDER),
      await call('POST', '/collections', COLLECTION),
    ]
    expect(statuses.map(({ status }) => status)).toEqual([202, 201, 201])
  })

  test('2: a 204 says application/json', async ({ call }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    for (const answer of [await call('POST', `/jobs/${id}/events`, event('running')), await call('DELETE', `/jobs/${id}`)]) {
      expect([answer.status, answer.headers.get('content-type'), answer.text]).toEqual([204, 'application/json', ''])
    }
  })

  test('3: an unknown provider is 404, an unknown benchmark 400, an unknown collection 404', async ({ call }) => {
    const asked = [
      { benchmarks: [{ id: 'first', provider_id: 'x' }] },
      { benchmarks: [{ id: 'x', provider_id: 'frame' }] },
      { ...PAIR, collection: { id: 'x' } },
    ]
    const answers = await Promise.all(asked.map((more) => call('POST', '/jobs', { ...JOB, ...more })))
    expect(answers.map(({ status, body }) => [status, body.message_code, body.message])).toEqual([
      [404, 'resource_not_found', "The provider resource 'x' was not found."],
      [400, 'resource_does_not_exist', "The benchmark with id 'x' does not exist."],
      [404, 'resource_not_found', "The collection resource 'x' was not found."],
    ])
  })

  const K8S = {
    Image: 'i',
    Entrypoint: ['e'],
    CPURequest: '1',
    MemoryRequest: '2',
    CPULimit: '3',
    MemoryLimit: '4',
    Env: [{ Name: 'N', Value: 'v' }],
  }
  test.for([
    ['PascalCase', K8S],
    [
      'snake_case',
      {
        image: 'i',
        entrypoint: ['e'],
        cpu_request: '1',
        memory_request: '2',
        cpu_limit: '3',
        memory_limit: '4',
        env: [{ name: 'N', value: 'v' }],
      },
    ],
    [
      'any case',
      {
        IMAGE: 'i',
        entryPoint: ['e'],
        cpurequest: '1',
        MEMORYREQUEST: '2',
        cpuLimit: '3',
        memorylimit: '4',
        ENV: [{ NAME: 'N', value: 'v' }],
      },
    ],
  ] as const)('4: a runtime in %s is answered in the contract’s spelling', async ([, k8s], { call }) => {
    const rest = { gpu: { resource: 'g', count: 1, node_selector: { 'a.b/C': 'd' } }, image_pull_policy: 'always' }
    const local = { command: 'c', env: [{ name: 'N', value: 'v' }] }
    const { body } = await call('POST', '/providers', { runtime: { k8s: { ...k8s, ...rest }, local } })
    expect(body.runtime).toEqual({ k8s: { ...K8S, ...rest }, local: { command: 'c', env: [{ Name: 'N', Value: 'v' }] } })
    expect((await call('GET', `/providers/${body.resource.id}`)).body).toEqual(body)
  })

  test('6: model.url is always there, also if it is empty', async ({ call }) => {
    const benchmarks = [{ ...JOB.benchmarks[0], test_data_ref: { pvc: { claim_name: 'c' }, type: 'pre_recorded_data' } }]
    expect((await call('POST', '/jobs', { ...JOB, model: { name: 'm' }, benchmarks })).body.model).toEqual({ url: '', name: 'm' })
  })

  test('9: first is the request as it came, next has its parameters sorted; both are relative', async ({ call }) => {
    for (const name of ['a', 'b']) await call('POST', '/jobs', { ...JOB, name, tags: ['t'] })
    const query = '?tags=t&tags=&offset=0&limit=1&name=a%7Cb'
    const { first, next } = (await call('GET', `/jobs${query}`)).body
    expect(first.href).toBe(`/api/v1/evaluations/jobs${query}`)
    expect(next.href).toBe('/api/v1/evaluations/jobs?limit=1&name=a%7Cb&offset=1&tags=t&tags=')
  })

  test('11: replace makes a key that is missing, an empty patch changes nothing, a threshold alone is not patched', async ({ call }) => {
    const { id } = (await call('POST', '/collections', COLLECTION)).body.resource
    const patch = (body: unknown) => call('PATCH', `/collections/${id}`, body)
    expect((await patch([{ op: 'replace', path: '/custom', value: { a: 1 } }])).body.custom).toEqual({ a: 1 })
    expect(await patch([])).toMatchObject({ status: 200, body: { custom: { a: 1 } } })
    expect(await patch(null)).toMatchObject({ status: 200, body: { custom: { a: 1 } } })
    expect((await patch([{ op: 'replace', path: '/pass_criteria/threshold', value: 1 }])).body.message_code).toBe('unallowed_patch')
  })

  test('13: after its end a job takes neither a cancel nor an event, and says so', async ({ call }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    await call('POST', `/jobs/${id}/events`, event('completed', { metrics: { acc: 1 } }))
    expect((await call('DELETE', `/jobs/${id}`)).body.message).toBe(`The job ${id} can not be cancelled because it is 'completed'.`)
    expect((await call('POST', `/jobs/${id}/events`, event('running'))).body.message).toBe(
      `The job ${id} can not be running because it is 'completed'.`,
    )
  })

  test('14: a cancel writes its message into runs that had not ended', async ({ call }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    await call('POST', `/jobs/${id}/events`, event('running', { error_message: { message: 'old', message_code: 'c' } }))
    await call('DELETE', `/jobs/${id}`)
    const message = { message: 'Evaluation job cancelled', message_code: 'evaluation_job_cancelled', message_origin: 'server' }
    expect((await call('GET', `/jobs/${id}`)).body.status).toMatchObject({ message, benchmarks: [{ error_message: message }] })
  })

  test('16: state messages list the failures below a space and a newline', async ({ call }) => {
    const { id } = (await call('POST', '/jobs', PAIR)).body.resource
    const fail = (message: string, benchmark: string, index: number) =>
      call('POST', `/jobs/${id}/events`, event('failed', { error_message: { message, message_code: 'c' } }, benchmark, index))
    await fail('no data', 'first', 0)
    await fail('no model', 'second', 1)
    expect((await call('GET', `/jobs/${id}`)).body.status.message.message).toBe(
      'Evaluation job is failed. \nBenchmark first failed with message: no data\nBenchmark second failed with message: no model\n',
    )
  })

  test('17: a threshold of 0 is one, the default is 0.5, a weight of 0 or none counts 1', async ({ call }) => {
    const judged = { ...JOB.benchmarks[0], pass_criteria: { threshold: 0 }, primary_score: { metric: 'acc' } }
    const request = { ...JOB, benchmarks: [{ ...judged, weight: 0 }, judged, { ...judged, weight: 2 }] }
    const { id } = (await call('POST', '/jobs', request)).body.resource
    for (const [index, acc] of [0, 0.4, 0.8].entries()) {
      await call('POST', `/jobs/${id}/events`, event('completed', { metrics: { acc } }, 'first', index))
    }
    const { results } = (await call('GET', `/jobs/${id}`)).body
    expect(results.benchmarks[0].test).toEqual({ primary_score: 0, primary_score_metric: 'acc', threshold: 0, pass: true })
    // (0 + 0.4 + 2 × 0.8) / 4
    expect(results.test).toEqual({ score: 0.5, threshold: 0.5, pass: true })
  })

  test('19: a job of completed and failed runs is partially_failed', async ({ call }) => {
    const { id } = (await call('POST', '/jobs', PAIR)).body.resource
    await call('POST', `/jobs/${id}/events`, event('completed'))
    await call('POST', `/jobs/${id}/events`, event('failed', {}, 'second', 1))
    expect((await call('GET', `/jobs/${id}`)).body.status.state).toBe('partially_failed')
  })

  test('20: a collection’s parameters win, and its null or empty text takes one away', async ({ call, db }) => {
    const entry = { id: 'first', provider_id: 'frame', parameters: { kept: 'collection', gone: null, empty: '', own: 1 } }
    const { id } = (await call('POST', '/collections', { ...COLLECTION, benchmarks: [entry] })).body.resource
    const override = { id: 'first', provider_id: 'frame', parameters: { kept: 'job', gone: 1, empty: 1, added: null } }
    const job = (await call('POST', '/jobs', { ...PAIR, collection: { id, benchmarks: [override] } })).body.resource.id
    const [run] = await db`select spec from evalhub.runs where evaluation_id = ${job}`
    expect(run?.spec.parameters).toEqual({ kept: 'collection', own: 1, added: null })
  })

  test('21 and 22: one benchmark may stand twice in a job; a queue without a kind is kueue', async ({ call }) => {
    const benchmarks = [JOB.benchmarks[0], { ...JOB.benchmarks[0], hardware_config: { queue: { name: 'q' } } }]
    const { body } = await call('POST', '/jobs', { ...JOB, benchmarks, queue: { kind: '', name: 'q' } })
    expect(body.status.benchmarks.map((run: { benchmark_index: number }) => run.benchmark_index)).toEqual([0, 1])
    expect([body.queue, body.benchmarks[1].hardware_config.queue]).toEqual([
      { kind: 'kueue', name: 'q' },
      { kind: 'kueue', name: 'q' },
    ])
  })

  test('23: metrics without a schema are numeric on reading', async ({ call }) => {
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    const metrics_schema = [{ name: 'trend', type: 'time_series' }]
    await call('POST', `/jobs/${id}/events`, event('completed', { metrics: { acc: 1, trend: [1, 2] }, metrics_schema }))
    const schema = (await call('GET', `/jobs/${id}`)).body.results.benchmarks[0].metrics_schema
    expect(schema).toEqual([
      { name: 'trend', type: 'time_series' },
      { name: 'acc', type: 'numeric' },
    ])
  })

  test('34: the id of a request comes back, in errors as trace too', async ({ call }) => {
    const answer = await call('GET', '/jobs/none', undefined, { 'X-Global-Transaction-Id': 'mine' })
    expect([answer.headers.get('x-global-transaction-id'), answer.body.trace]).toEqual(['mine', 'mine'])
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
  })

  test('35: without a tenant a tenant’s jobs are found by id and its providers only in lists', async ({ call }) => {
    const nobody = { 'X-Tenant': '' }
    const [job, provider] = [
      (await call('POST', '/jobs', JOB)).body.resource.id,
      (await call('POST', '/providers', PROVIDER)).body.resource.id,
    ]
    expect(await call('GET', `/jobs/${job}`, undefined, nobody)).toMatchObject({ status: 200 })
    expect(await call('GET', `/providers/${provider}`, undefined, nobody)).toMatchObject({ status: 404 })
    const { items } = (await call('GET', '/providers?limit=0', undefined, nobody)).body
    expect(items.map(({ resource }: { resource: { id: string } }) => resource.id)).toContain(provider)
  })
})

// Source: the checklist of what the published Python client needs (2.6, 1.0 of its contract).
describe('what the published Python client refuses', () => {
  const nulls = (value: unknown, at = ''): string[] =>
    value === null ? [at] : typeof value === 'object' ? Object.entries(value).flatMap(([key, member]) => nulls(member, `${at}/${key}`)) : []

  test('is in no answer: no null outside of what a user has sent, a description everywhere, messages with both members', async ({
    call,
  }) => {
    const empty = { description: null, tags: null, benchmarks: null, runtime: null, agent: null }
    const provider = (await call('POST', '/providers', empty)).body
    const sparse = (await call('POST', '/providers', { benchmarks: [{}, { id: 'b', tags: null, metrics: null, primary_score: null }] }))
      .body
    const collection = (await call('POST', '/collections', { ...COLLECTION, description: '', tags: null, custom: {}, pass_criteria: null }))
      .body
    const { id } = (await call('POST', '/jobs', { ...JOB, description: null, tags: null, custom: null, experiment: null, exports: null }))
      .body.resource
    await call('POST', `/jobs/${id}/events`, event('failed', { metrics: null, artifacts: null, error_message: null, phase: null }))
    const job = (await call('GET', `/jobs/${id}`)).body
    const lists = await Promise.all(['jobs', 'providers', 'collections'].map((noun) => call('GET', `/${noun}`)))
    for (const answer of [provider, sparse, collection, job, ...lists.map(({ body }) => body)]) expect(nulls(answer)).toEqual([])
    for (const { description, name } of [provider, ...sparse.benchmarks, collection])
      expect([typeof description, typeof name]).toEqual(['string', 'string'])
    expect(sparse.benchmarks[0]).toMatchObject({ id: '', category: '' })
    expect(job.status.message).toMatchObject({ message: expect.any(String), message_code: expect.any(String) })
  })
})
