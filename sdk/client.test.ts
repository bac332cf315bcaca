import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createClient } from './client.ts'
import { ApiError, ConnectionError, WaitTimeoutError } from './errors.ts'
import type { EvaluationState } from './models.ts'

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void

let server: Server
let baseUrl: string
let handle: Handler
let seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[]

beforeEach(async () => {
  seen = []
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += chunk))
    request.on('end', () => {
      seen.push({ method: request.method!, url: request.url!, headers: request.headers, body })
      handle(request, response, body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const answer = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}) =>
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body))

const job = (state: EvaluationState, progress?: number) => ({
  resource: { id: 'j-1', created_at: '2026-01-01T00:00:00Z' },
  status: {
    state,
    message: { message: 'm', message_code: 'c' },
    benchmarks: [{ provider_id: 'p', id: 'b', benchmark_index: 0, status: 'running', progress }],
  },
  results: {},
  name: 'n',
  model: { url: 'http://m/v1', name: 'm' },
})

const request = { name: 'n', model: { url: 'http://m/v1', name: 'm' }, collection: { id: 'c' } }

const failure = async (promise: PromiseLike<unknown>) => {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(Error)
  return error as Error
}

describe('a call', () => {
  test('sends identity, path, query and body as the contract names them', async () => {
    handle = (_, response) => answer(response, 202, job('pending'))
    const client = createClient({ baseUrl: `${baseUrl}/`, token: 't', tenant: 'team', user: 'ann' })

    await client.evaluations.submit(request)
    await client.evaluations.delete('a/b')
    await client.evaluations.runLogs('j-1', 2, { tailLines: -1, timestamps: true })

    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST /api/v1/evaluations/jobs',
      'DELETE /api/v1/evaluations/jobs/a%2Fb?hard_delete=true',
      'GET /api/v1/evaluations/jobs/j-1/benchmarks/2/logs?tail_lines=-1&timestamps=true',
    ])
    expect(seen[0]!.headers).toMatchObject({
      authorization: 'Bearer t',
      'x-tenant': 'team',
      'x-user': 'ann',
      'content-type': 'application/json',
    })
    expect(JSON.parse(seen[0]!.body)).toEqual(request)
    expect(seen[1]!.headers['content-type']).toBeUndefined()
  })

  test('sends no identity header that was not given', async () => {
    handle = (_, response) => answer(response, 200, { status: 'healthy', timestamp: 't' })

    expect(await createClient({ baseUrl }).health()).toEqual({ status: 'healthy', timestamp: 't' })

    expect(seen[0]!.headers).not.toHaveProperty('authorization')
    expect(seen[0]!.headers).not.toHaveProperty('x-tenant')
  })

  test.each(['localhost:8080', 'ftp://h', 'http://user:secret@h', 'http://h/?a=1', ''])(
    'refuses the address %j without naming it',
    (address) => {
      expect(() => createClient({ baseUrl: address })).toThrow(/^baseUrl must (?!.*secret)/)
    },
  )
})

describe('a refusal', () => {
  const refusal = { message_code: 'resource_not_found', message: "evaluation job 'x' not found", trace: 'r-7' }

  test('is an ApiError with status, code, request id, body and the words of the hub', async () => {
    handle = (_, response) => answer(response, 404, refusal, { 'X-Global-Transaction-Id': 'r-7' })

    const error = await failure(createClient({ baseUrl }).evaluations.get('x'))

    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({ status: 404, messageCode: 'resource_not_found', requestId: 'r-7', body: refusal })
    expect(error.message).toBe(
      `GET ${baseUrl}/api/v1/evaluations/jobs/x was refused: evaluation job 'x' not found (404, resource_not_found, request r-7)`,
    )
    expect(seen).toHaveLength(1)
  })

  test('has the request id of the header where the body has none', async () => {
    handle = (_, response) => answer(response, 502, 'bad gateway', { 'X-Global-Transaction-Id': 'r-8' })
    expect(await failure(createClient({ baseUrl }).evaluations.cancel('x'))).toMatchObject({ requestId: 'r-8', messageCode: undefined })
  })

  test.each<[number, unknown, RegExp]>([
    [401, { message_code: 'unauthorized', message: 'no' }, /check the `token`/],
    [400, { message_code: 'missing_tenant_header', message: 'no' }, /give `tenant`/],
    [404, '404 page not found', /is this the address of an EvalHub/],
    [302, {}, /is this the address of an EvalHub/],
  ])('of status %i and body %j says what to do', async (status, body, hint) => {
    handle = (_, response) => answer(response, status, body, { Location: 'http://127.0.0.1:9/' })
    expect((await failure(createClient({ baseUrl }).evaluations.cancel('x'))).message).toMatch(hint)
  })

  test('is also what a success without JSON becomes', async () => {
    handle = (_, response) => response.writeHead(200).end('<html>')
    const error = await failure(createClient({ baseUrl }).health())
    expect(error).toMatchObject({ name: 'ApiError', status: 200, body: '<html>' })
  })
})

describe('a second try', () => {
  test.each([429, 500, 503])('of a GET follows a %i and honours Retry-After', async (status) => {
    handle = (_, response) =>
      seen.length === 1 ? answer(response, status, {}, { 'Retry-After': '0' }) : answer(response, 200, job('running'))
    expect((await createClient({ baseUrl }).evaluations.get('j-1')).status.state).toBe('running')
    expect(seen).toHaveLength(2)
  })

  test('of a GET follows a dropped connection', async () => {
    handle = (_, response) => (seen.length === 1 ? response.destroy() : answer(response, 200, job('running')))
    expect((await createClient({ baseUrl }).evaluations.get('j-1')).status.state).toBe('running')
  })

  test('of a GET ends at maxRetries with the last answer', async () => {
    handle = (_, response) => answer(response, 503, { message: 'later', message_code: 'busy' }, { 'Retry-After': '0' })
    expect(await failure(createClient({ baseUrl, maxRetries: 2 }).evaluations.get('x'))).toMatchObject({ status: 503, messageCode: 'busy' })
    expect(seen).toHaveLength(3)
  })

  test('is not made for a hub that asks for more than a minute', async () => {
    handle = (_, response) => answer(response, 429, {}, { 'Retry-After': '3600' })
    expect(await failure(createClient({ baseUrl }).evaluations.get('x'))).toMatchObject({ status: 429 })
    expect(seen).toHaveLength(1)
  })

  // Guarantee: a job is never submitted twice behind the caller's back.
  test('is never made for a submit without a key, or a delete', async () => {
    handle = (_, response) => response.destroy()
    const { evaluations } = createClient({ baseUrl })
    expect(await failure(evaluations.submit(request))).toBeInstanceOf(ConnectionError)
    expect(await failure(evaluations.submitBatch([request]))).toBeInstanceOf(ConnectionError)
    expect(await failure(evaluations.delete('x'))).toBeInstanceOf(ConnectionError)
    expect(seen).toHaveLength(3)
  })

  test('is made for what has a key, with the same key and body, and for a question about states', async () => {
    handle = (_, response) => answer(response, 503, {}, { 'Retry-After': '0' })
    const { evaluations } = createClient({ baseUrl, maxRetries: 1 })
    await failure(evaluations.submit(request, { idempotencyKey: 'k' }))
    await failure(evaluations.submitBatch([request], { idempotencyKey: 'k' }))
    await failure(evaluations.states(['a']))
    const sent = seen.map(({ url, headers, body }) => [url.slice(url.indexOf('ns/') + 3), headers['idempotency-key'], JSON.parse(body)])
    const each = [
      ['jobs', 'k', request],
      ['batch/jobs', 'k', { jobs: [request] }],
      ['batch/jobs/states', undefined, { ids: ['a'] }],
    ]
    expect(sent).toEqual(each.flatMap((one) => [one, one]))
  })
})

describe('no answer', () => {
  test('is a ConnectionError that names the address and the reason', async () => {
    const address = baseUrl
    await new Promise((resolve) => server.close(resolve))
    const error = await failure(createClient({ baseUrl: address, maxRetries: 0 }).health())
    expect(error).toBeInstanceOf(ConnectionError)
    expect(error.message).toMatch(
      new RegExp(`^GET ${address}/api/v1/health failed: .*ECONNREFUSED.* Is an EvalHub running at ${address}\\?$`),
    )
  })

  test('in time is a ConnectionError too, also in the middle of a body', async () => {
    handle = (_, response) => response.writeHead(200).write('{"status":')
    const error = await failure(createClient({ baseUrl, timeoutMs: 50, maxRetries: 0 }).health())
    expect(error).toBeInstanceOf(ConnectionError)
    expect(error.message).toContain('had no answer within 50 ms')
  })

  test('is not waited for once the caller has stopped', async () => {
    const stop = new AbortController()
    handle = () => stop.abort(new Error('enough'))
    expect((await failure(createClient({ baseUrl }).evaluations.submit(request, { signal: stop.signal }))).message).toBe('enough')
    expect((await failure(createClient({ baseUrl }).health({ signal: stop.signal }))).message).toBe('enough')
  })
})

describe('list', () => {
  const all = ['e', 'd', 'c', 'b', 'a'].map((id) => ({ resource: { id } }))
  const pages =
    (items = all) =>
    (incoming: IncomingMessage, response: ServerResponse) => {
      const query = new URL(incoming.url!, baseUrl).searchParams
      const [limit, offset] = [Number(query.get('limit') ?? 50), Number(query.get('offset') ?? 0)]
      const next = offset + limit < items.length ? { next: { href: 'unread' } } : {}
      answer(response, 200, {
        first: { href: incoming.url },
        ...next,
        limit,
        total_count: items.length,
        items: items.slice(offset, offset + limit),
      })
    }
  const idsOf = async (listing: AsyncIterable<{ resource: { id: string } }>) => {
    const ids: string[] = []
    for await (const { resource } of listing) ids.push(resource.id)
    return ids
  }

  test('awaited, is one page', async () => {
    handle = pages()
    const page = await createClient({ baseUrl }).evaluations.list({ limit: 2, status: 'running' })
    expect(page).toMatchObject({ total_count: 5, limit: 2, items: [{ resource: { id: 'e' } }, { resource: { id: 'd' } }] })
    expect(seen.map(({ url }) => url)).toEqual(['/api/v1/evaluations/jobs?limit=2&status=running'])
  })

  test('iterated, is every item of every page in one request a page', async () => {
    handle = pages()
    expect(await idsOf(createClient({ baseUrl }).evaluations.list({ limit: 2, offset: 1 }))).toEqual(['d', 'c', 'b', 'a'])
    expect(seen).toHaveLength(2)
  })

  test.each(['providers', 'collections'] as const)('of %s is iterable too', async (noun) => {
    handle = pages()
    expect(await idsOf(createClient({ baseUrl })[noun].list({ limit: 3, scope: 'system' }))).toEqual(['e', 'd', 'c', 'b', 'a'])
    expect(seen.at(-1)!.url).toBe(`/api/v1/evaluations/${noun}?limit=3&scope=system&offset=3`)
  })

  // Guarantee: a job submitted while the caller iterates pushes no other one into its view a second time.
  test('iterated, repeats no item that was pushed to the next page', async () => {
    handle = (incoming, response) => pages(seen.length === 1 ? all : [{ resource: { id: 'f' } }, ...all])(incoming, response)
    expect(await idsOf(createClient({ baseUrl }).evaluations.list({ limit: 2 }))).toEqual(['e', 'd', 'c', 'b', 'a'])
  })

  test('iterated, ends where a hub offers an empty page for ever', async () => {
    handle = (_, response) => answer(response, 200, { first: { href: '' }, next: { href: '' }, limit: 0, total_count: 5, items: [] })
    expect(await idsOf(createClient({ baseUrl }).evaluations.list({ limit: 0 }))).toEqual([])
  })

  test('fails in the iteration if a later page does', async () => {
    handle = (incoming, response) =>
      seen.length === 1 ? pages()(incoming, response) : answer(response, 400, { message: 'no', message_code: 'x' })
    expect(await failure(idsOf(createClient({ baseUrl }).evaluations.list({ limit: 2 })))).toMatchObject({ status: 400 })
  })
})

describe('wait', () => {
  test('resolves with the ended job and tells each change once', async () => {
    const states = [job('pending'), job('running'), job('running'), job('running', 0.5), job('partially_failed')]
    handle = (_, response) => answer(response, 200, states[seen.length - 1])
    const updates: string[] = []

    const ended = await createClient({ baseUrl }).evaluations.wait('j-1', {
      intervalMs: 1,
      onUpdate: ({ status }) => updates.push(`${status.state} ${status.benchmarks[0]!.progress ?? '-'}`),
    })

    expect(ended.status.state).toBe('partially_failed')
    expect(updates).toEqual(['pending -', 'running -', 'running 0.5', 'partially_failed -'])
  })

  test('looks once with a time limit of 0', async () => {
    handle = (_, response) => answer(response, 200, job('running'))
    const error = await failure(createClient({ baseUrl }).evaluations.wait('j-1', { timeoutMs: 0 }))
    expect(error).toBeInstanceOf(WaitTimeoutError)
    expect(error).toMatchObject({ message: 'Evaluation job j-1 is still running after 0 ms', job: { name: 'n' } })
    expect(seen).toHaveLength(1)
  })

  test('gives up when the time is over, after a last look', async () => {
    handle = (_, response) => answer(response, 200, job('running'))
    expect(await failure(createClient({ baseUrl }).evaluations.wait('j-1', { timeoutMs: 60, intervalMs: 40 }))).toBeInstanceOf(
      WaitTimeoutError,
    )
    expect(seen.length).toBeGreaterThan(1)
  })

  test('stops in a pause when the caller says so', async () => {
    const stop = new AbortController()
    handle = (_, response) => answer(response, 200, job('running'))
    const waiting = createClient({ baseUrl }).evaluations.wait('j-1', {
      intervalMs: 60_000,
      signal: stop.signal,
      onUpdate: () => queueMicrotask(() => stop.abort(new Error('enough'))),
    })
    expect((await failure(waiting)).message).toBe('enough')
  })
})

describe('logs', () => {
  test('are text as it was written', async () => {
    handle = (_, response) => response.writeHead(200, { 'Content-Type': 'text/plain' }).end('=== a ===\nline\n')
    expect(await createClient({ baseUrl }).evaluations.logs('j-1')).toBe('=== a ===\nline\n')
  })
})
