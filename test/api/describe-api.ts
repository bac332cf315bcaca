import { gzipSync } from 'node:zlib'
import { expect } from 'vitest'
import { event, JOB, type Call } from '#functions/test-app.ts'
import type { ApiTest } from './served.ts'

const COLLECTION = { name: 'mine', category: 'c', benchmarks: [{ id: 'first', provider_id: 'frame', weight: 2 }] }
const PROVIDER = { name: 'mine', runtime: { k8s: { image: 'x:1' } }, benchmarks: [{ id: 'b', name: 'B' }] }
const PAIR = { ...JOB, benchmarks: undefined, collection: { id: 'pair-v1' } }

const submit = async (call: Call, request: object = JOB): Promise<string> => (await call('POST', '/jobs', request)).body.resource.id

const post = (call: Call, id: string, ...args: Parameters<typeof event>) => call('POST', `/jobs/${id}/events`, event(...args))

const namesOf = (body: { items: { name: string }[] }) => body.items.map(({ name }) => name)

/** What any client can rely on, whatever serves the API. It is asked over HTTP; only logs, which no client writes, are put into the database. */
export function describeApi(test: ApiTest): void {
  describeService(test)
  describeJobs(test)
  describeBatches(test)
  describeEvents(test)
  describeLists(test)
  describeLogs(test)
  describeLongLogs(test)
  describeCatalogue(test)
  describeRefusals(test)
}

function describeService(test: ApiTest): void {
  test('is healthy, and answers the request’s id', async ({ call }) => {
    const { status, body, headers } = await call('GET', '//api/v1/health', undefined, { 'X-Global-Transaction-Id': 'mine' })
    expect({ status, body }).toEqual({ status: 200, body: { status: 'healthy', timestamp: expect.any(String) } })
    expect(headers.get('x-global-transaction-id')).toBe('mine')
    expect((await call('GET', '/jobs')).headers.get('x-global-transaction-id')).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('describes itself, and shows that on a page that needs no other host', async ({ call }) => {
    const json = await call('GET', '//openapi.json')
    expect(JSON.parse(json.text)).toMatchObject({ openapi: expect.stringMatching(/^3\.1/) })
    expect((await call('GET', '//openapi.yaml')).text).toMatch(/^openapi:/)
    const page = await call('GET', '//docs')
    const files = [...page.text.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, file]) => file)
    expect(files).toHaveLength(4)
    for (const file of files) {
      const { status, text, headers } = await call('GET', `//${file}`)
      expect({ file, status, type: headers.get('content-type') }).toMatchObject({
        status: 200,
        type: expect.stringMatching(/^(text|image)\//),
      })
      expect(text.length).toBeGreaterThan(50)
    }
    for (const other of ['docs/package.json', 'swagger-ui.css', 'index.html'])
      expect(await call('GET', `//${other}`)).toMatchObject({ status: 404 })
  })
}

function describeJobs(test: ApiTest): void {
  test('takes a job, and answers it as it was taken', async ({ call, tenant }) => {
    const request = {
      ...JOB,
      name: 'Ü“日本🙂',
      tags: ['a', 'b'],
      description: 'x'.repeat(50_000),
      custom: { deep: [1e-7, -0.1, 2 ** 53 - 1, null] },
    }
    const { status, body } = await call('POST', '/jobs', request)
    expect(status).toBe(202)
    expect(body).toMatchObject({ ...request, resource: { tenant, owner: 'ann' }, status: { state: 'pending' } })
    const read = await call('GET', `/jobs/${body.resource.id}`)
    expect(read.body).toEqual({ ...body, resource: { ...body.resource, updated_at: expect.any(String) } })
  })

  test('takes 20 jobs at once, each its own', async ({ call }) => {
    const names = Array.from({ length: 20 }, (_, index) => `job-${index}`)
    const answers = await Promise.all(names.map((name) => call('POST', '/jobs', { ...JOB, name })))
    expect(answers.map(({ status, body }) => [status, body.name])).toEqual(names.map((name) => [202, name]))
    expect((await call('GET', '/jobs')).body.total_count).toBe(20)
  })

  test('takes a job that is sent 10 times with one key once', async ({ call }) => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => call('POST', '/jobs', JOB, { 'Idempotency-Key': 'k' })))
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.resource.id}`)).size).toBe(1)
    const other = await call('POST', '/jobs', { ...JOB, name: 'other' }, { 'Idempotency-Key': 'k' })
    expect(other).toMatchObject({ status: 409, body: { message_code: 'idempotency_key_reused' } })
  })

  test('cancels a job, which then takes no events', async ({ call }) => {
    const id = await submit(call)
    expect(await call('DELETE', `/jobs/${id}`)).toMatchObject({ status: 204, text: '' })
    expect((await call('GET', `/jobs/${id}`)).body.status).toMatchObject({ state: 'cancelled', benchmarks: [{ status: 'cancelled' }] })
    expect(await post(call, id, 'running')).toMatchObject({ status: 409 })
  })

  test('deletes a job, which then is not there', async ({ call }) => {
    const id = await submit(call)
    expect(await call('DELETE', `/jobs/${id}?hard_delete=true`)).toMatchObject({ status: 204 })
    expect(await call('GET', `/jobs/${id}`)).toMatchObject({ status: 404, body: { message_code: 'resource_not_found' } })
    expect((await call('GET', '/jobs')).body.total_count).toBe(0)
  })
}

function describeBatches(test: ApiTest): void {
  test('takes a batch of jobs, each for itself, and says where they stand', async ({ call }) => {
    const jobs = [JOB, { ...JOB, benchmarks: [] }, PAIR]
    const { items } = (await call('POST', '/batch/jobs', { jobs })).body
    expect(items).toMatchObject([{ status: 202 }, { status: 400, error: { message_code: 'request_validation_failed' } }, { status: 202 }])
    const [first, , third] = items.map(({ job }: { job?: { resource: { id: string } } }) => job?.resource.id)
    const { status, body } = await call('POST', '/batch/jobs/states', { ids: [third, 'x', first] })
    expect({ status, ...body }).toMatchObject({ status: 200, items: [{ id: third }, { id: first, state: 'pending' }], not_found: ['x'] })
  })
}

function describeEvents(test: ApiTest): void {
  test('takes a job through its events to its score', async ({ call }) => {
    const id = await submit(call, PAIR)
    expect(await post(call, id, 'running', { phase: 'loading_data', started_at: '2026-11-23T10:00:00Z' })).toMatchObject({ status: 204 })
    await post(call, id, 'running', { phase: 'running_evaluation', progress: 0.5 })
    expect((await call('GET', `/jobs/${id}`)).body.status).toMatchObject({
      state: 'running',
      benchmarks: [
        { status: 'running', phase: 'running_evaluation', progress: 0.5, started_at: '2026-11-23T10:00:00Z' },
        { status: 'pending' },
      ],
    })
    await post(call, id, 'completed', { metrics: { acc: 0.95, tiny: 1e-7, large: 12_345.678 } })
    await post(call, id, 'completed', { metrics: { loss: 0.1 } }, 'second', 1)
    const { status, results } = (await call('GET', `/jobs/${id}`)).body
    expect(status.state).toBe('completed')
    expect(results.benchmarks[0]).toMatchObject({
      metrics: { acc: 0.95, tiny: 1e-7, large: 12_345.678 },
      test: { primary_score: 0.95, primary_score_metric: 'acc', threshold: 0.5, pass: true },
    })
    // (3 × 0.95 + 1 × (1 − 0.1)) / 4
    expect(results.test).toEqual({ score: 0.9375, threshold: 0.8, pass: true })
  })

  test('takes progress of one run from 20 at once', async ({ call }) => {
    const id = await submit(call)
    await post(call, id, 'running')
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) => post(call, id, 'running', { phase: 'running_evaluation', progress: at / 20 })),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([204]))
    expect((await call('GET', `/jobs/${id}`)).body.status.benchmarks[0]).toMatchObject({ phase: 'running_evaluation' })
  })

  test('ends a job once when its 12 runs end at once', async ({ call }) => {
    const benchmarks = Array.from({ length: 12 }, () => ({ id: 'first', provider_id: 'frame' }))
    const id = await submit(call, { ...JOB, benchmarks })
    const answers = await Promise.all(
      benchmarks.map((_, index) => post(call, id, 'completed', { metrics: { acc: index / 12 } }, 'first', index)),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([204]))
    const { status, results } = (await call('GET', `/jobs/${id}`)).body
    expect(status.state).toBe('completed')
    expect(results.test.score).toBeCloseTo(11 / 24, 6)
  })

  test('says why a run failed', async ({ call }) => {
    const id = await submit(call, PAIR)
    await post(call, id, 'completed', { metrics: { acc: 1 } })
    await post(call, id, 'failed', { error_message: { message: 'no data', message_code: 'x' } }, 'second', 1)
    expect((await call('GET', `/jobs/${id}`)).body.status).toMatchObject({
      state: 'partially_failed',
      message: { message: expect.stringContaining('no data') },
    })
  })
}

function describeLists(test: ApiTest): void {
  test('reaches every job once, newest first, by following next', async ({ call }) => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await submit(call, { ...JOB, name })
    const first = (await call('GET', '/jobs?limit=2')).body
    expect(first).toMatchObject({ limit: 2, total_count: 5, first: { href: '/api/v1/evaluations/jobs?limit=2' } })
    const second = (await call('GET', `/${first.next.href}`)).body
    const third = (await call('GET', `/${second.next.href}`)).body
    expect([first, second, third].map(namesOf)).toEqual([['e', 'd'], ['c', 'b'], ['a']])
    expect(third).not.toHaveProperty('next')
  })

  test.for([
    ['name=a', ['a']],
    ['name=a%7Cb', ['b', 'a']],
    ['tags=x', ['b', 'a']],
    ['tags=x,y', ['b']],
    ['status=cancelled', ['c']],
    ['status=!cancelled', ['b', 'a']],
    ['owner=ann&offset=1', ['b', 'a']],
    ['owner=bob', []],
  ] as const)('finds jobs by %s', async ([query, names], { call }) => {
    await submit(call, { ...JOB, name: 'a', tags: ['x'] })
    await submit(call, { ...JOB, name: 'b', tags: ['x', 'y'] })
    await call('DELETE', `/jobs/${await submit(call, { ...JOB, name: 'c' })}`)
    expect(namesOf((await call('GET', `/jobs?${query}`)).body)).toEqual(names)
  })
}

function describeLogs(test: ApiTest): void {
  test('answers the log of a job and of a run, in its pieces and its last lines', async ({ call, db }) => {
    const id = await submit(call)
    expect((await call('GET', `/jobs/${id}/benchmarks/0/logs`)).text).toBe('')
    // A character lies across the pieces.
    const text = Buffer.from(`one\ntwo ü\nthree ${'x'.repeat(1000)}\n`)
    for (const [seq, piece] of [text.subarray(0, 9), text.subarray(9)].entries()) {
      await db`insert into evalhub.run_logs (evaluation_id, benchmark_index, attempt, container, seq, chunk, bytes, first_at, last_at)
        values (${id}, 0, 1, 'local', ${seq}, ${gzipSync(piece)}, ${piece.length}, now(), now())`
    }
    const run = await call('GET', `/jobs/${id}/benchmarks/0/logs?tail_lines=-1`)
    expect(run.text).toBe(text.toString())
    expect(run.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect((await call('GET', `/jobs/${id}/benchmarks/0/logs?tail_lines=2`)).text).toMatch(/^two ü\nthree x+$/)
    expect((await call('GET', `/jobs/${id}/logs`)).text).toMatch(new RegExp(`^=== pod=${id}-0 .*benchmark_id=first ===\none\n`))
    expect(await call('GET', `/jobs/${id}/logs?tail_lines=0`)).toMatchObject({
      status: 400,
      body: { message_code: 'query_parameter_invalid' },
    })
  })
}

function describeLongLogs(test: ApiTest): void {
  const LINE = `${'y'.repeat(63)}\n`

  test('streams a log of many pieces whole, with their times, and its end alone', async ({ call, db }) => {
    const id = await submit(call)
    const piece = LINE.repeat(512 * 16)
    await db`
      insert into evalhub.run_logs (evaluation_id, benchmark_index, attempt, container, seq, chunk, bytes, first_at, last_at)
      select ${id}, 0, 1, 'local', seq, ${gzipSync(piece)}, ${piece.length}, now(), now() - make_interval(mins => 9 - seq)
      from generate_series(0, 9) as seq`
    const path = `/jobs/${id}/benchmarks/0/logs`
    const whole = (await call('GET', `${path}?tail_lines=-1`)).text
    expect([whole.length, whole.replaceAll(LINE, '')]).toEqual([10 * piece.length, ''])
    // The newest piece is of now, the others are of each minute before.
    expect((await call('GET', `${path}?tail_lines=-1&since_seconds=90`)).text).toHaveLength(2 * piece.length)
    expect((await call('GET', `${path}?tail_lines=10000`)).text).toHaveLength(10_000 * LINE.length - 1)
    expect((await call('GET', `${path}?tail_lines=1&timestamps=1`)).text).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+\+00:00 y+$/)
  })
}

function describeCatalogue(test: ApiTest): void {
  test.for([
    ['providers', PROVIDER],
    ['collections', COLLECTION],
  ] as const)('creates, lists, replaces, patches and deletes %s', async ([noun, config], { call, tenant }) => {
    const created = await call('POST', `/${noun}`, config)
    expect(created).toMatchObject({ status: 201, body: { name: 'mine', resource: { tenant, owner: 'ann' } } })
    const path = `/${noun}/${created.body.resource.id}`
    expect(created.headers.get('location')).toBe(`/api/v1/evaluations${path}`)
    const tag = created.headers.get('etag') ?? ''
    expect((await call('GET', path)).headers.get('etag')).toBe(tag)
    expect((await call('GET', path)).body).toEqual(created.body)
    expect(namesOf((await call('GET', `/${noun}?scope=tenant`)).body)).toEqual(['mine'])
    expect(namesOf((await call('GET', `/${noun}?scope=system`)).body)).toHaveLength(1)

    expect((await call('PUT', path, { ...config, name: 'replaced' })).body).toMatchObject({ name: 'replaced' })
    const patch = [{ op: 'replace', path: '/name', value: 'patched' }]
    expect((await call('PATCH', path, patch)).body).toMatchObject({ name: 'patched' })
    expect((await call('GET', path)).body).toMatchObject({ name: 'patched' })
    expect(await call('DELETE', path, undefined, { 'If-Match': tag })).toMatchObject({ status: 412 })
    expect(await call('DELETE', path)).toMatchObject({ status: 204, text: '' })
    expect(await call('GET', path)).toMatchObject({ status: 404, body: { message_code: 'resource_not_found' } })
  })

  test('creates a provider that is sent 10 times with one key once', async ({ call }) => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => call('POST', '/providers', PROVIDER, { 'Idempotency-Key': 'k' })))
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.resource.id}`)).size).toBe(1)
  })

  test('keeps the catalogue from being changed', async ({ call }) => {
    expect(await call('DELETE', '/providers/frame')).toMatchObject({ status: 400, body: { message_code: 'read_only_provider' } })
    expect(await call('DELETE', '/collections/pair-v1')).toMatchObject({ status: 400, body: { message_code: 'read_only_collection' } })
  })
}

function describeRefusals(test: ApiTest): void {
  test.for([
    ['malformed JSON', 'POST', '/jobs', '{"name":', 400, 'invalid_json_request'],
    ['a job without a name', 'POST', '/jobs', { ...JOB, name: undefined }, 400, 'request_validation_failed'],
    [
      'an unknown benchmark',
      'POST',
      '/jobs',
      { ...JOB, benchmarks: [{ id: 'none', provider_id: 'frame' }] },
      400,
      'resource_does_not_exist',
    ],
    ['an unknown collection', 'POST', '/jobs', { ...PAIR, collection: { id: 'none' } }, 404, 'resource_not_found'],
    ['an unknown job', 'GET', '/jobs/none', undefined, 404, 'resource_not_found'],
    ['events of an unknown job', 'POST', '/jobs/none/events', event('running'), 404, 'resource_not_found'],
    ['an unknown parameter', 'GET', '/jobs?colour=red', undefined, 400, 'query_bad_parameter'],
    ['a limit of no size', 'GET', '/jobs?limit=many', undefined, 400, 'query_parameter_invalid'],
    ['U+0000', 'GET', '/jobs?name=%00', undefined, 400, 'query_parameter_invalid'],
    ['a body of 11 MiB', 'POST', '/jobs', { ...JOB, description: 'x'.repeat(11 * 2 ** 20) }, 413, 'request_body_too_large'],
  ] as const)('refuses %s', async ([, method, path, body, status, code], { call }) => {
    const answer = await call(method, path, body)
    expect(answer).toMatchObject({ status, body: { message_code: code, trace: answer.headers.get('x-global-transaction-id') } })
  })

  // Guarantee: what a request may ask is bounded before anything reads it.
  test('refuses a URL of more than 16 KiB, wherever it leads', async ({ call, served }) => {
    const longest = 16 * 1024
    for (const path of ['/jobs', '/providers', '/collections/none', '//api/v1/health', '//nowhere', '//docs']) {
      const [at] = [path.startsWith('//') ? path.slice(1) : `/api/v1/evaluations${path}`]
      const ask = (length: number) => call('GET', `/${at}?${'x='.padEnd(length - at.length - 1, 'y')}`)
      const answer = await ask(longest + 1)
      expect(answer).toMatchObject({
        status: 414,
        body: {
          message_code: 'uri_too_long',
          message: 'The URL has 16385 bytes, and at most 16384 are read: ask for less in one request.',
          trace: answer.headers.get('x-global-transaction-id'),
        },
      })
      expect((await ask(longest)).status).not.toBe(414)
    }
    // Of bytes: what stands for one character may be many.
    expect((await fetch(`${served.url}/api/v1/evaluations/jobs?name=${'%C3%BC'.repeat(2800)}`)).status).toBe(414)
  })

  test('answers other methods of a path with 405, and other paths with a plain 404', async ({ call, served }) => {
    for (const path of ['/jobs', '/jobs/none', '/jobs/none/events', '/providers', '/collections/none', '//api/v1/health', '//docs']) {
      expect({ path, ...(await call('PUT', path === '/collections/none' ? '/collections' : path, {})) }).toMatchObject({
        status: 405,
        body: { message_code: 'method_not_allowed' },
      })
    }
    expect((await fetch(`${served.url}/api/v1/health`, { method: 'HEAD' })).status).toBe(405)
    const nowhere = await call('GET', '//api/v2/health')
    expect(nowhere).toMatchObject({ status: 404, text: '404 page not found\n' })
    expect(nowhere.headers.get('content-type')).toBe('text/plain; charset=utf-8')
  })

  test('shows a tenant nothing of another', async ({ call }) => {
    const id = await submit(call)
    const other = { 'X-Tenant': 'somebody-else' }
    expect(await call('GET', `/jobs/${id}`, undefined, other)).toMatchObject({ status: 404 })
    expect((await call('GET', '/jobs', undefined, other)).body.items).toEqual([])
  })

  test('refuses a page of another host or port', async ({ call, served }) => {
    expect(await call('GET', '/jobs', undefined, { Origin: 'https://evil.example' })).toMatchObject({
      status: 403,
      body: { message_code: 'foreign_request' },
    })
    for (const headers of [{ Origin: 'http://localhost:1' }, { 'Sec-Fetch-Site': 'same-site' }, { 'Sec-Fetch-Site': 'cross-site' }])
      expect(await call('GET', '/jobs', undefined, headers)).toMatchObject({ status: 403 })
    const own = { Origin: new URL(served.url).origin, 'Sec-Fetch-Site': 'same-origin' }
    expect(await call('GET', '/jobs', undefined, own)).toMatchObject({ status: 200 })
  })
}
