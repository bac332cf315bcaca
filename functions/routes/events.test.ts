import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect } from 'vitest'
import type { Pool } from '#db/client.ts'
import { noteRuntime } from '#db/commands/note-runtime.ts'
import { event, JOB, test, type Answer } from '../test-app.ts'

type Call = (method: string, path: string, body?: unknown) => Promise<Answer>

const submit = async (call: Call, request: object = JOB): Promise<string> => (await call('POST', '/jobs', request)).body.resource.id
const PAIR = { ...JOB, benchmarks: undefined, collection: { id: 'pair-v1' } }

describe('POST /jobs/:id/events', () => {
  test('takes a run through its phases to a scored job', async ({ call }) => {
    const id = await submit(call, PAIR)
    const post = (...args: Parameters<typeof event>) => call('POST', `/jobs/${id}/events`, event(...args))
    expect(await post('running', { phase: 'loading_data', started_at: '2026-11-23T10:00:00Z' })).toMatchObject({ status: 204, text: '' })
    expect((await call('GET', `/jobs/${id}`)).body.status).toMatchObject({
      state: 'running',
      message: { message_code: 'evaluation_job_updated' },
    })
    await post('running', { phase: 'running_evaluation', progress: 0.5 })
    await post('completed', { metrics: { acc: 0.95 }, completed_at: '2026-11-23T11:00:00.123456+00:00' })
    await post('completed', { metrics: { loss: 0.1 } }, 'second', 1)

    const { body } = await call('GET', `/jobs/${id}`)
    expect(body.status.state).toBe('completed')
    expect(body.status.benchmarks[0]).toMatchObject({
      started_at: '2026-11-23T10:00:00Z',
      completed_at: '2026-11-23T11:00:00.123456+00:00',
      progress: 1,
    })
    expect(body.results.benchmarks.map(({ test: verdict }: { test: object }) => verdict)).toEqual([
      { primary_score: 0.95, primary_score_metric: 'acc', threshold: 0.5, pass: true },
      { primary_score: 0.1, primary_score_metric: 'loss', threshold: 0.4, pass: true },
    ])
    expect(body.results.benchmarks[0].metrics_schema).toEqual([{ name: 'acc', type: 'numeric' }])
    // (3 × 0.95 + 1 × (1 − 0.1)) / 4
    expect(body.results.test).toEqual({ score: 0.9375, threshold: 0.8, pass: true })
  })

  test('late, repeated and reordered events change no result and lose nothing', async ({ call }) => {
    const id = await submit(call, PAIR)
    const post = (...args: Parameters<typeof event>) => call('POST', `/jobs/${id}/events`, event(...args))
    await post('running', { phase: 'post_processing', started_at: '2026-11-23T10:00:00Z' })
    await post('running', { phase: 'initializing' })
    await post('pending')
    const during = (await call('GET', `/jobs/${id}`)).body.status.benchmarks[0]
    expect(during).toMatchObject({ status: 'running', phase: 'post_processing', started_at: '2026-11-23T10:00:00Z' })

    await post('completed', { metrics: { acc: 0.9 } })
    for (const late of [event('completed', { metrics: { acc: 0.1 } }), event('failed'), event('running', { phase: 'initializing' })]) {
      expect(await call('POST', `/jobs/${id}/events`, late)).toMatchObject({ status: 204 })
    }
    const { body } = await call('GET', `/jobs/${id}`)
    expect(body.status.benchmarks[0]).toMatchObject({ status: 'completed', started_at: '2026-11-23T10:00:00Z' })
    expect(body.results.benchmarks[0].metrics).toEqual({ acc: 0.9 })
  })

  // Guarantee: whoever comes first and last, the job ends once and its score is that of all runs.
  test('50 final events at once end a job once', async ({ call, db }) => {
    const benchmarks = Array.from({ length: 50 }, () => ({ id: 'first', provider_id: 'frame' }))
    const id = await submit(call, { ...JOB, benchmarks })
    const answers = await Promise.all(
      benchmarks.map((_, index) =>
        call('POST', `/jobs/${id}/events`, event('completed', { metrics: { acc: index / 50 } }, 'first', index)),
      ),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([204]))
    const ended = await db`select state from evalhub.job_events where evaluation_id = ${id} and benchmark_index is null order by seq`
    expect(ended.map(({ state }) => state)).toEqual(['running', 'completed'])
    const { body } = await call('GET', `/jobs/${id}`)
    expect(body.results.test.score).toBeCloseTo(0.49, 6)
    expect((await call('POST', `/jobs/${id}/events`, event('running'))).body).toMatchObject({ message_code: 'job_can_not_be_updated' })
  })

  test('a failed run says why, in the job too', async ({ call }) => {
    const id = await submit(call, PAIR)
    await call('POST', `/jobs/${id}/events`, event('completed', { metrics: { acc: 1 } }))
    await call('POST', `/jobs/${id}/events`, event('failed', { error_message: { message: 'no data', message_code: 'x' } }, 'second', 1))
    const { status, results } = (await call('GET', `/jobs/${id}`)).body
    expect(status).toMatchObject({
      state: 'partially_failed',
      message: { message: expect.stringContaining('Benchmark second failed with message: no data') },
    })
    expect(status.benchmarks[1].error_message).toEqual({ message: 'no data', message_code: 'x', message_origin: 'runtime' })
    expect(results).not.toHaveProperty('test')
  })

  test('a missing primary metric is said, and judges nothing', async ({ call }) => {
    const id = await submit(call)
    await call('POST', `/jobs/${id}/events`, event('completed', { metrics: { other: 1 } }))
    const { status, results } = (await call('GET', `/jobs/${id}`)).body
    expect(status.benchmarks[0].warning_message.message).toMatch(/'acc' is not among .*other/)
    expect(results.benchmarks[0]).not.toHaveProperty('test')
  })

  const judge = (metric: string, threshold: number, lower_is_better = false) => ({
    primary_score: { metric, ...(lower_is_better && { lower_is_better }) },
    pass_criteria: { threshold },
  })
  const runs = (...judged: object[]) => ({ ...JOB, benchmarks: judged.map((more) => ({ ...JOB.benchmarks[0], ...more })) })

  test('a score counts as lower is better wherever that was said: in the job or by the provider', async ({ call }) => {
    const request = {
      ...JOB,
      benchmarks: [
        { id: 'first', provider_id: 'frame', ...judge('toxicity', 0.2, true) },
        { id: 'second', provider_id: 'frame' },
      ],
    }
    const id = await submit(call, request)
    await call('POST', `/jobs/${id}/events`, event('completed', { metrics: { toxicity: 0.1 } }))
    await call('POST', `/jobs/${id}/events`, event('completed', { metrics: { loss: 0.3 } }, 'second', 1))
    const { results } = (await call('GET', `/jobs/${id}`)).body
    // ((1 − 0.1) + (1 − 0.3)) / 2
    expect(results.test).toEqual({ score: 0.8, threshold: 0.5, pass: true })
    expect(results.benchmarks.map((one: { test: object }) => one.test)).toMatchObject([{ primary_score: 0.1 }, { primary_score: 0.3 }])
  })

  test('a job’s score says which benchmarks it left out, and why', async ({ call }) => {
    const id = await submit(
      call,
      runs(judge('acc', 0.5), judge('latency_ms', 300, true), judge('absent', 0.5), { primary_score: { metric: 'acc' } }),
    )
    for (const index of [0, 1, 2, 3]) {
      await call('POST', `/jobs/${id}/events`, event('completed', { metrics: { acc: 0.6, latency_ms: 250 } }, 'first', index))
    }
    const { status, results } = (await call('GET', `/jobs/${id}`)).body
    const left = (benchmark_index: number, message_code: string, message: string) => ({
      provider_id: 'frame',
      id: 'first',
      benchmark_index,
      message,
      message_code,
    })
    expect(results.test).toEqual({
      score: 0.6,
      threshold: 0.5,
      pass: true,
      left_out: [
        left(1, 'not_a_ratio', "Its primary metric 'latency_ms' is 250, which is no ratio from 0 to 1."),
        left(2, 'primary_metric_missing', "Its primary metric 'absent' was not reported."),
        left(3, 'no_threshold', 'It has no threshold.'),
      ],
    })
    expect(results.benchmarks[1].test).toEqual({ primary_score: 250, primary_score_metric: 'latency_ms', threshold: 300, pass: true })
    expect(status.benchmarks[2].warning_message).toMatchObject({ message_code: 'primary_metric_missing', message_origin: 'server' })
    expect(results.benchmarks[3]).not.toHaveProperty('test')
  })

  test('a job of numbers that are no ratios has verdicts, and no score', async ({ call }) => {
    const id = await submit(call, runs(judge('latency_ms', 300, true), judge('perplexity', 20, true)))
    for (const index of [0, 1]) {
      await call('POST', `/jobs/${id}/events`, event('completed', { metrics: { latency_ms: 250, perplexity: 21 } }, 'first', index))
    }
    const { results } = (await call('GET', `/jobs/${id}`)).body
    expect(results.benchmarks.map((one: { test: { pass: boolean } }) => one.test.pass)).toEqual([true, false])
    expect(results).not.toHaveProperty('test')
  })

  test.for([
    [{ 'first.acc': 0.9 }, 0.9],
    [{ 'acc,none': 0.9, 'acc_stderr,none': 0.1 }, 0.9],
    [{ 'mmlu:a.acc': 0.2, 'mmlu:b.acc': 0.4, 'all.acc': 0.3 }, 0.3],
    [{ acc: '0.9' }, undefined],
  ] as const)('the primary metric is found in %j', async ([metrics, score], { call }) => {
    const id = await submit(call)
    await call('POST', `/jobs/${id}/events`, event('completed', { metrics }))
    const { results } = (await call('GET', `/jobs/${id}`)).body
    const verdict = { primary_score: score, primary_score_metric: 'acc', threshold: 0.5, pass: (score ?? 0) >= 0.5 }
    expect(results.benchmarks[0].test).toEqual(score === undefined ? undefined : verdict)
  })

  test('messages name what is behind the sidecar, in progress too', async ({ call }) => {
    const id = await submit(call)
    const said = (text: string) => ({ message: `GET http://localhost:8080/v1/models: ${text}`, message_code: 'x' })
    await call('POST', `/jobs/${id}/events`, event('running'))
    await call('POST', `/jobs/${id}/events`, event('running', { warning_message: said('slow') }))
    await call('POST', `/jobs/${id}/events`, event('failed', { error_message: said('refused') }))
    const { status } = (await call('GET', `/jobs/${id}`)).body
    expect(status.benchmarks[0]).toMatchObject({
      warning_message: { message: 'GET http://localhost:1/v1/models: slow', message_origin: 'runtime' },
      error_message: { message: 'GET http://localhost:1/v1/models: refused' },
    })
    expect(status.message.message).toContain('http://localhost:1/v1/models')
  })

  test('a message of an origin that clients do not know is the runtime’s', async ({ call }) => {
    const id = await submit(call)
    for (const [message_origin, shown] of [
      ['adapter', 'adapter'],
      ['moon', 'runtime'],
    ]) {
      const warning_message = { message: 'm', message_code: 'c', message_origin }
      await call('POST', `/jobs/${id}/events`, event('running', { warning_message }))
      const [run] = (await call('GET', `/jobs/${id}`)).body.status.benchmarks
      expect(run.warning_message.message_origin).toBe(shown)
    }
  })

  const git = { git: { url: 'https://github.com/a/b', ref: 'main' } }
  test('the commit that was checked out is shown with the data it is of, once', async ({ call }) => {
    const id = await submit(call, runs({ test_data_ref: git }, {}))
    const told = async (resolved_sha: string, index = 0) => {
      await call('POST', `/jobs/${id}/events`, event('running', { job_meta: { resolved_sha } }, 'first', index))
      const { benchmarks, status } = (await call('GET', `/jobs/${id}`)).body
      expect(status.benchmarks[index]).not.toHaveProperty('job_meta')
      return benchmarks[index].test_data_ref?.resolved_sha
    }
    expect(await told('not a commit')).toBeUndefined()
    expect(await told('ABCDEF1')).toBe('ABCDEF1')
    expect(await told('1234567')).toBe('ABCDEF1')
    expect(await told('1234567', 1)).toBeUndefined()
  })

  test('the commit of a collection’s data is shown in its benchmarks, whole', async ({ call }) => {
    const benchmarks = [{ id: 'second', provider_id: 'frame', parameters: { extra: 1 }, test_data_ref: git }]
    const id = await submit(call, { ...PAIR, collection: { id: 'pair-v1', benchmarks } })
    expect((await call('GET', `/jobs/${id}`)).body.collection.benchmarks).toEqual(benchmarks)
    await call('POST', `/jobs/${id}/events`, event('running', { job_meta: { resolved_sha: 'abcdef1' } }, 'second', 1))
    const { collection } = (await call('GET', `/jobs/${id}`)).body
    expect(collection).toEqual({
      id: 'pair-v1',
      collection_updated_at: expect.any(String),
      benchmarks: [
        { id: 'first', provider_id: 'frame', weight: 3, parameters: { extra: 1 } },
        {
          id: 'second',
          provider_id: 'frame',
          weight: 1,
          parameters: { shots: 2, extra: 1 },
          test_data_ref: { ...git, resolved_sha: 'abcdef1' },
        },
      ],
    })
    expect((await call('GET', '/jobs')).body.items[0].collection).toEqual(collection)
  })

  test.for([
    ['cancelled is the hub’s word', event('cancelled'), 400, 'request_validation_failed'],
    ['an unknown phase', event('running', { phase: 'thinking' }), 400, 'request_validation_failed'],
    ['no event', {}, 400, 'request_validation_failed'],
    ['half a message', event('failed', { error_message: { message: 'x' } }), 400, 'request_validation_failed'],
    ['a schema for no metric', event('completed', { metrics_schema: [{ name: 'a', type: 'numeric' }] }), 400, 'request_validation_failed'],
    ['malformed JSON', '{', 400, 'invalid_json_request'],
    ['another benchmark', event('running', {}, 'second', 0), 404, 'resource_not_found'],
    ['an index that is not there', event('running', {}, 'first', 7), 404, 'resource_not_found'],
  ] as const)('refuses %s', async ([, body, status, code], { call }) => {
    const id = await submit(call)
    expect(await call('POST', `/jobs/${id}/events`, body)).toMatchObject({ status, body: { message_code: code } })
    expect((await call('GET', `/jobs/${id}`)).body.status.state).toBe('pending')
  })
})

describe('counts', () => {
  test('of jobs by tenant and state are those of the table, after changes at once', async ({ call, db, tenant }) => {
    const ids = await Promise.all(Array.from({ length: 40 }, () => submit(call)))
    await Promise.all(
      ids.map((id, at) => {
        if (at % 4 === 0) return call('DELETE', `/jobs/${id}`)
        if (at % 4 === 1) return call('DELETE', `/jobs/${id}?hard_delete=true`)
        return call('POST', `/jobs/${id}/events`, event(at % 4 === 2 ? 'running' : 'completed'))
      }),
    )
    const counted =
      await db`select state, sum(total)::bigint as total from evalhub.evaluation_counts where tenant = ${tenant} group by state having sum(total) <> 0 order by state`
    const real =
      await db`select state, count(*) as total from evalhub.evaluations where tenant = ${tenant} and deleted_at is null group by state order by state`
    expect([...counted]).toEqual([...real])
    expect((await call('GET', '/jobs')).body.total_count).toBe(30)
  })
})

describe('logs', () => {
  const chunk = (db: Pool, id: string, index: number, seq: number, text: string | Buffer) =>
    db`insert into evalhub.run_logs (evaluation_id, benchmark_index, attempt, container, seq, chunk, bytes, first_at, last_at)
      values (${id}, ${index}, 1, 'local', ${seq}, ${gzipSync(text)}, ${text.length}, now(), now())`

  test('of a job have a header a run, and of a run none; tail_lines counts from the end', async ({ call, db }) => {
    const id = await submit(call, PAIR)
    await chunk(db, id, 0, 0, 'one\ntw')
    await chunk(db, id, 0, 1, 'o\nthree\n')
    const whole = await call('GET', `/jobs/${id}/logs?tail_lines=-1`)
    const header = (index: number, name: string) => `=== pod=${id}-${index} container=local benchmark_id=${name} ===\n`
    expect(whole.text).toBe(`${header(0, 'first')}one\ntwo\nthree\n\n${header(1, 'second')}`)
    expect(whole.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect((await call('GET', `/jobs/${id}/benchmarks/0/logs?tail_lines=2`)).text).toBe('two\nthree')
    // A piece that holds nothing but the last newline, which is not shown.
    await chunk(db, id, 0, 2, '\n')
    expect((await call('GET', `/jobs/${id}/benchmarks/0/logs?tail_lines=2`)).text).toBe('three\n')
  })

  // Guarantee: a mistyped index does not pass for a benchmark that has written nothing.
  test.for(['9', '2', '99999999999999999999'])('of benchmark %s of a job with two are not found', async (index, { call }) => {
    const id = await submit(call, PAIR)
    expect(await call('GET', `/jobs/${id}/benchmarks/${index}/logs`)).toMatchObject({
      status: 404,
      body: { message_code: 'resource_not_found', message: `The benchmark resource '${index}' was not found.` },
    })
    expect(await call('GET', `/jobs/${id}/benchmarks/1/logs`)).toMatchObject({ status: 200, text: '' })
  })

  // Guarantee: an adapter's bytes steer no terminal, hide nothing, and are no words of EvalHub; stored they stay what they were.
  test('are shown so that all in them is seen', async ({ call, db }) => {
    const id = await submit(call, PAIR)
    const hostile = `\u001b]0;title\u0007\u001b[2Jok\u202e\n=== pod=x container=adapter benchmark_id=second ===\nall\rgood\xff\0\n`
    await chunk(db, id, 0, 0, Buffer.from(hostile, 'latin1'))
    const visible = '␛]0;title␇␛[2Jok.\n⟨U+003D⟩== pod=x container=adapter benchmark_id=second ===\nall␍good⟨0xFF⟩␀\n'
    expect((await call('GET', `/jobs/${id}/benchmarks/0/logs?tail_lines=-1`)).text).toBe(visible)
    const headers = (await call('GET', `/jobs/${id}/logs?tail_lines=-1`)).text.match(/^=== .*$/gm)
    expect(headers).toHaveLength(2)
    const [row] = await db<{ chunk: Uint8Array }[]>`select chunk from evalhub.run_logs where evaluation_id = ${id}`
    expect(gunzipSync(row!.chunk).toString('latin1')).toBe(Buffer.from(hostile, 'latin1').toString('latin1'))
  })

  test('have one line for a header, whatever the benchmark is called', async ({ call, db }) => {
    const id = await submit(call)
    await db`update evalhub.runs set benchmark_id = ${'a\n=== pod=x ===\u001b'} where evaluation_id = ${id}`
    expect((await call('GET', `/jobs/${id}/logs`)).text).toBe(`=== pod=${id}-0 container=local benchmark_id=a␊=== pod=x ===␛ ===\n`)
  })

  // Guarantee: who reads a log before its first line is told the same as after it.
  test('that have no line yet have the name of the container that will write it', async ({ call, db }) => {
    const id = await submit(call)
    await noteRuntime(db, 'kubernetes')
    const header = `=== pod=evalhub-${id}-0-1 container=adapter benchmark_id=first ===\n`
    expect((await call('GET', `/jobs/${id}/logs`)).text).toBe(header)
    await chunk(db, id, 0, 0, 'a process of before\n')
    expect((await call('GET', `/jobs/${id}/logs`)).text).toContain('container=local')
    await noteRuntime(db, 'local')
  })

  test('say what they need when since_seconds has no value, and take what they know', async ({ call }) => {
    const id = await submit(call)
    const answer = await call('GET', `/jobs/${id}/logs?since_seconds=`)
    expect(answer).toMatchObject({ status: 400, body: { message_code: 'query_parameter_required' } })
    expect(await call('GET', `/jobs/${id}/logs?since_seconds=60&timestamps=true&unknown=1`)).toMatchObject({ status: 200 })
    expect(await call('GET', '/jobs/none/logs')).toMatchObject({ status: 404, body: { message_code: 'resource_not_found' } })
  })

  test('are the last 1000 lines without tail_lines, whole characters across pieces, and those of the present attempt', async ({
    call,
    db,
  }) => {
    const id = await submit(call)
    const bytes = Buffer.from(`${Array.from({ length: 1500 }, (_, at) => `line ${at} ü`).join('\n')}\n`)
    const half = bytes.indexOf(Buffer.from('ü')) + 1 // between the two bytes of a character
    await chunk(db, id, 0, 0, bytes.subarray(0, half))
    await chunk(db, id, 0, 1, bytes.subarray(half))
    const lines = (await call('GET', `/jobs/${id}/benchmarks/0/logs`)).text.split('\n')
    expect([lines.length, lines[0], lines.at(-1)]).toEqual([1000, 'line 500 ü', 'line 1499 ü'])
    expect((await call('GET', `/jobs/${id}/benchmarks/0/logs?tail_lines=-1`)).text).toBe(bytes.toString())

    await db`update evalhub.runs set attempt = 2 where evaluation_id = ${id}`
    expect((await call('GET', `/jobs/${id}/benchmarks/0/logs`)).text).toBe('')
  })

  test.for([
    ['/logs?tail_lines=0', 'integer between 1 and 10000, or -1 for all lines'],
    ['/logs?tail_lines=x', 'integer'],
    ['/logs?tail_lines=10001', 'integer between 1 and 10000'],
    ['/logs?tail_lines=-2', 'integer between 1 and 10000'],
    ['/logs?timestamps=perhaps', 'boolean'],
    ['/logs?since_seconds=0', 'positive integer'],
    ['/logs?since_seconds=soon', 'integer'],
    ['/benchmarks/x/logs', 'non-negative integer'],
    ['/benchmarks/-1/logs', 'non-negative integer'],
    ['/benchmarks/0/logs?tail_lines=0', 'integer between 1 and 10000'],
  ] as const)('refuse %s', async ([path, type], { call }) => {
    const id = await submit(call)
    expect(await call('GET', `/jobs/${id}${path}`)).toMatchObject({
      status: 400,
      body: { message_code: 'query_parameter_invalid', message: expect.stringContaining(type) },
    })
  })
})
