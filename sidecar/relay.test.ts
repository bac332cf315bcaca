import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, vi } from 'vitest'
import { readLastWords } from '#shared/domain/last-words.ts'
import { eventOf, EVENTS, hubError, hubOf, requestOf, RUN, test, TOKEN } from './test-sidecar.ts'

const SHA = '0123456789abcdef0123456789abcdef01234567'

/** What the event before and the event after do not say. */
const only = (n: number) => (n % 2 === 0 ? { phase: 'initializing' } : { progress: 0 })

describe('an event of this run', () => {
  // Guarantee: the hub and the sidecar cannot read an event in two ways.
  test('goes to the hub with each name once and in the hub’s spelling, as the run and for its tenant', async ({ start, upstream }) => {
    const hub = hubOf()
    const { url } = await upstream(hub.listener)
    const sidecar = await start({ hub: { url: new URL('/below', url) } })
    const said = eventOf('running', {
      metrics: { a: '#' },
      sta_tus: 'pending',
      Progress: 0.5,
      progress: null,
      new_field: 1,
      mlflow_run_id: null,
    })
    const headers = { authorization: 'Bearer its own', 'x-tenant': 'other', 'x-user': 'system' }
    const body = `\ufeff${said.replace('"#"', '1.50e0,"a":2.50')}`
    expect(await requestOf(sidecar.url, EVENTS, { body, headers })).toMatchObject({ status: 204, text: '' })
    await vi.waitFor(() => expect(hub.posts).toHaveLength(1))
    const [post] = hub.posts
    expect(post).toMatchObject({ path: `/below${EVENTS}`, headers: { authorization: `Bearer ${TOKEN}`, 'x-tenant': 'red' } })
    expect(post?.body).toBe(eventOf('pending', { metrics: { a: 2.5 }, progress: 0.5 }))
    expect(post?.headers).not.toHaveProperty('x-user')
  })

  test('that is terminal takes along what was asked of models', async ({ start, upstream }) => {
    const hub = hubOf()
    const sidecar = await start({ hub: { url: (await upstream(hub.listener)).url } })
    await sidecar.post(eventOf('completed', { metrics: { acc: 1 }, additional_info: { own: 1, Model_Usage: 2 } }))
    await vi.waitFor(() => expect(hub.posts).toHaveLength(1))
    const { model_usage, ...own } = hub.posts[0]!.event.additional_info
    expect([own, model_usage.requests]).toEqual([{ own: 1 }, 0])
  })

  test('names no commit that the adapter has made up', async ({ start, upstream }) => {
    const hub = hubOf()
    const sidecar = await start({ hub: { url: (await upstream(hub.listener)).url } })
    await sidecar.post(eventOf('completed', { Job_Meta: { resolved_sha: 'fffffff' } }))
    await vi.waitFor(() => expect(hub.posts).toHaveLength(1))
    expect(hub.posts[0]!.event).not.toHaveProperty('job_meta')
  })

  test('of a git repository takes along the commit, as soon as it is known', async ({ start, upstream, folder }) => {
    const hub = hubOf()
    const commitPath = join(folder, '.git-metadata')
    const sidecar = await start({ hub: { url: (await upstream(hub.listener)).url }, commitPath })
    await sidecar.post(eventOf('running', { job_meta: { resolved_sha: 'fffffff' } }))
    await writeFile(commitPath, `${SHA}\n`)
    await sidecar.post(eventOf('completed'))
    await vi.waitFor(() => expect(hub.posts).toHaveLength(2))
    expect(hub.posts.map(({ event }) => event.job_meta)).toEqual([undefined, { resolved_sha: SHA }])
  })

  test('arrives in its order, however often the hub fails', async ({ start, upstream }) => {
    const accepted: number[] = []
    const hub = hubOf((count, body) => {
      const answer = [
        { status: 500 },
        hubError(401, 'unauthorized'),
        { status: 404, body: 'no route' },
        hubError(429, 'slow_down'),
        { status: 302 },
        { status: 204 },
      ][count % 6]!
      if (answer.status === 204) accepted.push(JSON.parse(body).benchmark_status_event.metrics?.n ?? 'end')
      return answer
    })
    const sidecar = await start({ hub: { url: (await upstream(hub.listener)).url } })
    // Each says something that the next does not, so none replaces another.
    for (let n = 0; n < 5; n++) await sidecar.post(eventOf('running', { metrics: { n }, ...only(n) }))
    await sidecar.post(eventOf('completed'))
    await vi.waitFor(() => expect(accepted).toEqual([0, 1, 2, 3, 4, 'end']), 5000)
  })

  test('that is progress replaces older progress that waits; what says more stays', async ({ start, upstream }) => {
    let isAway = true
    const hub = hubOf(() => ({ status: isAway ? 503 : 204 }))
    const sidecar = await start({
      hub: { url: (await upstream(hub.listener)).url },
      limits: { connectMs: 500, idleMs: 500, eventMs: 500, retryMs: [300, 300] },
    })
    await sidecar.post(eventOf('running', { phase: 'initializing' }))
    await vi.waitFor(() => expect(hub.posts).toHaveLength(1))
    for (let n = 1; n <= 5; n++) await sidecar.post(eventOf('running', { progress: n / 10 }))
    await sidecar.post(eventOf('running', { warning_message: { message: 'm', message_code: 'c' } }))
    for (let n = 6; n <= 9; n++) await sidecar.post(eventOf('running', { progress: n / 10 }))
    isAway = false
    hub.posts.length = 0
    await sidecar.finish({ aloudMs: 5000, giveUpMs: 5000 })
    const said = hub.posts.map(({ event }) => event.progress ?? event.phase ?? event.warning_message.message)
    expect(said).toEqual(['initializing', 0.5, 'm', 0.9])
  })

  test('waits in bounded memory, and terminal ones on a bounded disk', async ({ start, upstream }) => {
    const hub = hubOf(() => ({ status: 503 }))
    const sidecar = await start({ hub: { url: (await upstream(hub.listener)).url } })
    for (let n = 0; n < 80; n++) expect((await sidecar.post(eventOf('running', only(n)))).status).toBe(204)
    const dropped = () => sidecar.lines.filter((line) => line.includes('too much waits')).length
    // The one that is under way is not counted.
    expect([15, 16]).toContain(dropped())
    const large = (n: number) => eventOf('running', { ...only(n), metrics: { x: 'x'.repeat(3 * 1024 * 1024) } })
    for (let n = 0; n < 2; n++) await sidecar.post(large(n))
    expect(dropped()).toBeGreaterThan(15 + 60)
    for (let n = 0; n < 4; n++) expect((await sidecar.post(eventOf('failed'))).status).toBe(204)
    expect(await sidecar.post(eventOf('completed'))).toMatchObject({
      status: 503,
      text: expect.stringContaining('4 results of this run wait'),
    })
  })
})

describe('what the hub refuses', () => {
  test.for([403, 404, 409])(
    '%i with its code ends the run: nothing is sent again, and the adapter is told',
    async (status, { start, upstream, folder }) => {
      const hub = hubOf(() => hubError(status, 'some_code'))
      const sidecar = await start({ hub: { url: (await upstream(hub.listener)).url } })
      expect((await sidecar.post(eventOf('failed'))).status).toBe(204)
      await vi.waitFor(async () => expect(await readdir(join(folder, 'spool'))).toEqual([]))
      expect(await sidecar.post(eventOf('running'))).toMatchObject({ status, text: expect.stringContaining('It says some_code.') })
      expect(hub.posts).toHaveLength(1)
      expect(sidecar.lines.join()).toContain('The hub refused an event')
    },
  )

  // Guarantee: a result that cannot be taken still leaves its run with a reason.
  test('a result that is not taken becomes a failure that says why', async ({ start, upstream, folder }) => {
    const hub = hubOf((_, body) => (body.includes('"failed"') ? { status: 204 } : hubError(400, 'request_validation_failed')))
    const sidecar = await start({ hub: { url: (await upstream(hub.listener)).url } })
    await sidecar.post(eventOf('completed', { metrics: 5 }))
    await vi.waitFor(() => expect(hub.posts).toHaveLength(2))
    const { status, error_message } = hub.posts[1]!.event
    expect([status, error_message.message_code]).toEqual(['failed', 'report_refused'])
    expect(error_message.message).toContain('It says request_validation_failed.')
    await vi.waitFor(async () => expect(await readdir(join(folder, 'spool'))).toEqual([]))
  })

  // Guarantee: what was asked of models is counted, whatever an adapter makes of its result.
  test.for([
    ['a list', { additional_info: [{ model_usage: 1 }] }],
    ['text', { additional_info: 'model_usage' }],
    [
      'what the sidecar says itself',
      { metrics: 5, error_message: { message: 'x', message_code: 'report_refused', message_origin: 'sidecar' } },
    ],
  ] as const)(
    'a result that is not taken keeps the usage that the sidecar has counted: %s',
    async ([, said], { start, upstream, folder }) => {
      const hub = hubOf((count) => (count > 1 ? { status: 204 } : hubError(400, 'request_validation_failed')))
      const { url: model } = await upstream((_, response) => void response.end('{"usage":{"prompt_tokens":5,"completion_tokens":2}}'))
      const commitPath = join(folder, '.git-metadata')
      await writeFile(commitPath, SHA)
      const sidecar = await start({ hub: { url: (await upstream(hub.listener)).url }, model: { url: model }, commitPath })
      await requestOf(sidecar.url, '/v1/chat')
      await sidecar.post(eventOf('completed', said))
      await vi.waitFor(() => expect(hub.posts).toHaveLength(2))
      const { status, additional_info, job_meta } = hub.posts[1]!.event
      expect([status, job_meta]).toEqual(['failed', { resolved_sha: SHA }])
      expect(additional_info).toEqual({ model_usage: expect.objectContaining({ requests: 1, input_tokens: 5, output_tokens: 2 }) })
    },
  )

  test('a refusal of that failure too is the end of it', async ({ start, upstream, folder }) => {
    const hub = hubOf(() => hubError(400, 'request_validation_failed'))
    const sidecar = await start({ hub: { url: (await upstream(hub.listener)).url } })
    await sidecar.post(eventOf('completed'))
    await vi.waitFor(async () => expect(await readdir(join(folder, 'spool'))).toEqual([]))
    await sidecar.finish({ aloudMs: 1000, giveUpMs: 1000 })
    expect(hub.posts).toHaveLength(2)
  })
})

describe('what an adapter may not', () => {
  test.for([
    ['GET', '/api/v1/evaluations/jobs'],
    ['POST', '/api/v1/evaluations/jobs'],
    ['DELETE', `/api/v1/evaluations/jobs/${RUN.evaluationId}`],
    ['GET', EVENTS],
    ['POST', '/api/v1/evaluations/jobs/job-2/events'],
    ['POST', `${EVENTS}/`],
    ['POST', '/api/v1/evaluations/providers'],
  ] as const)('%s %s', async ([method, path], { start, upstream }) => {
    const hub = hubOf()
    const sidecar = await start({ hub: { url: (await upstream(hub.listener)).url } })
    const answer = await requestOf(sidecar.url, path, { method, body: method === 'POST' ? eventOf('running') : '' })
    expect(answer).toMatchObject({ status: 403, text: expect.stringContaining(`only POST ${EVENTS} is allowed`) })
    expect(hub.posts).toEqual([])
  })

  test('report another benchmark, or nonsense, or more than the hub reads', async ({ start }) => {
    const sidecar = await start()
    expect(await sidecar.post(eventOf('completed', { benchmark_index: 1 }))).toMatchObject({ status: 403 })
    expect(await sidecar.post('{')).toMatchObject({ status: 400, text: expect.stringContaining('invalid_json_request') })
    expect(await sidecar.post(eventOf('completed', { x: 'y'.repeat(10 * 1024 * 1024) }))).toMatchObject({ status: 413 })
  })

  // Such a body would reach the hub as something else: JSON has no Infinity.
  test.for([
    ['a number beyond 64 bits', '1e999', 400],
    ['U+0000', '"\\u0000"', 400],
    ['half a surrogate pair', '"\\ud800"', 400],
    ['what grows over the limit', `[${'1e20,'.repeat(1024 * 1024)}1]`, 413],
  ] as const)('report %s', async ([, value, status], { start, upstream }) => {
    const hub = hubOf()
    const sidecar = await start({ hub: { url: (await upstream(hub.listener)).url } })
    expect(await sidecar.post(eventOf('completed', { metrics: { acc: '#' } }).replace('"#"', value))).toMatchObject({ status })
    await sidecar.finish({ aloudMs: 1000, giveUpMs: 1000 })
    expect(hub.posts).toEqual([])
  })
})

test('without room in the spool a result is not acknowledged', async ({ start, folder }) => {
  const sidecar = await start()
  await mkdir(join(folder, 'spool', '000000001.json.draft')) // root may write in spite of a mode
  await chmod(join(folder, 'spool'), 0o500)
  expect((await sidecar.post(eventOf('completed'))).status).toBe(500)
  await chmod(join(folder, 'spool'), 0o700)
})

test('terminal events that nobody takes are last words, soon and once', async ({ start, upstream }) => {
  const { url, close } = await upstream(() => undefined)
  await close()
  const sidecar = await start({ hub: { url } })
  await sidecar.post(eventOf('running'))
  await sidecar.post(eventOf('completed', { metrics: { acc: 1 } }))
  const finished = sidecar.finish({ aloudMs: 10, giveUpMs: 300 })
  await vi.waitFor(() => expect(readLastWords(sidecar.lines.join('\n'))).toHaveLength(1))
  await sidecar.post(eventOf('failed'))
  expect(await finished).toBe(2)
  const said = readLastWords(sidecar.lines.join('\n')).map((body) => JSON.parse(body).benchmark_status_event)
  expect(said).toMatchObject([{ status: 'completed', metrics: { acc: 1 } }, { status: 'failed' }])
  expect(sidecar.lines.filter((line) => line.startsWith('evalhub-last-words'))).toHaveLength(2)
})
