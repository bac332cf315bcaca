import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, vi } from 'vitest'
import type { SidecarSettings } from './config.ts'
import { begin, eventOf, hubOf, LIMITS, requestOf, test as base, type Upstream } from './test-sidecar.ts'
import type { ModelUsage } from './usage.ts'

const CHAT = '/v1/chat/completions'
const usage = (input: number, output: number) => ({ prompt_tokens: input, completion_tokens: output })

/** `secret(files)`: the model's Secret. `usageOf(sidecar)`: what it has counted, from the event that it completes. */
const test = base
  .extend('secret', async ({ folder }) => async (files: Record<string, string>) => {
    const secretPath = join(folder, 'secret')
    await mkdir(secretPath, { recursive: true })
    for (const [name, value] of Object.entries(files)) await writeFile(join(secretPath, name), value)
    return secretPath
  })
  .extend('counted', async ({ start, upstream }) => async (model: NonNullable<SidecarSettings['model']>, limits = {}) => {
    const hub = hubOf()
    const sidecar = await start({
      model,
      hub: { url: (await upstream(hub.listener)).url },
      apiServer: '10.96.0.1',
      limits: { ...LIMITS, ...limits },
    })
    const usageOf = async (): Promise<ModelUsage> => {
      await sidecar.post(eventOf('completed'))
      await vi.waitFor(() => expect(hub.posts.length).toBeGreaterThan(0))
      return hub.posts.at(-1)!.event.additional_info.model_usage
    }
    return { ...sidecar, usageOf }
  })

const closedPort = async (upstream: (listener: () => void) => Promise<Upstream>) => {
  const { url, close } = await upstream(() => undefined)
  await close()
  return url
}

describe('proxyModel', () => {
  test('passes requests and answers on as they are: path, query, headers, bodies of any size', async ({ start, upstream }) => {
    const seen: Record<string, unknown>[] = []
    const { url } = await upstream((request, response) => {
      void text(request).then((body) => {
        seen.push({ method: request.method, url: request.url, headers: request.headers, length: body.length })
        return response.writeHead(201, 'Made', { 'X-Answer': 'yes', 'set-cookie': ['a=1', 'b=2'] }).end(body)
      })
    })
    const { url: sidecar } = await start({ model: { url } })
    for (const body of ['{"a":1}', 'x'.repeat(3_000_000)]) {
      const headers = { 'X-Custom': 'kept', Authorization: 'Bearer my own', Connection: 'close, x-hop', 'X-Hop': '1' }
      const answer = await requestOf(sidecar, `${CHAT}?a=%2Fb&c`, { body, headers })
      expect(answer).toMatchObject({ status: 201, text: body, headers: { 'x-answer': 'yes', 'set-cookie': ['a=1', 'b=2'] } })
      expect(seen.at(-1)).toMatchObject({ method: 'POST', url: `${CHAT}?a=%2Fb&c`, length: body.length })
      expect(seen.at(-1)?.headers).toMatchObject({ host: url.host, 'x-custom': 'kept', authorization: 'Bearer my own' })
      expect(seen.at(-1)?.headers).not.toHaveProperty('x-hop')
    }
    for (const method of ['GET', 'HEAD', 'DELETE']) {
      expect(await requestOf(sidecar, '/v1/models', { method })).toMatchObject({ status: 201, text: '' })
      expect(seen.at(-1)).toMatchObject({ method, length: 0 })
    }
  })

  // Guarantee: a stream may be as long as it likes if it is never silent for longer than the idle bound, and each token goes on at once.
  test('a stream that outlasts every bound goes through, token by token', async ({ counted, upstream }) => {
    const { url } = await upstream((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      void (async () => {
        for (let token = 0; token < 10; token++) {
          await pause(60)
          response.write(`data: {"choices":[${token}],"usage":${JSON.stringify(usage(7, token + 1))}}\n\n`)
        }
        response.end('data: [DONE]\n\n')
      })()
    })
    const { url: sidecar, usageOf } = await counted({ url }, { idleMs: 200, connectMs: 200 })
    const arrivals: number[] = []
    const answer = await begin(sidecar, CHAT, { body: '{}' })
    for await (const chunk of answer) if (String(chunk).startsWith('data: {')) arrivals.push(performance.now())
    expect(arrivals).toHaveLength(10)
    expect(arrivals.at(-1)! - arrivals[0]!).toBeGreaterThan(400)
    expect(await usageOf()).toMatchObject({ requests: 1, input_tokens: 7, output_tokens: 10 })
  })

  test('the head of an answer goes before its first token', async ({ start, upstream }) => {
    const { url } = await upstream((_, response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders())
    const { url: sidecar } = await start({ model: { url } })
    const answer = await begin(sidecar, CHAT, { body: '{}' })
    expect(answer.statusCode).toBe(200)
    answer.destroy()
  })

  test('counts requests, tokens, and each kind of error once', async ({ counted, upstream }) => {
    const answers = [200, 429, 500, 503, 404]
    const { url } = await upstream((request, response) => {
      request.resume()
      response.writeHead(answers.shift() ?? 200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ choices: [], usage: usage(10, 2) }))
    })
    const { url: sidecar, usageOf } = await counted({ url })
    for (const status of answers.slice()) expect((await requestOf(sidecar, CHAT, { body: '{}' })).status).toBe(status)
    expect(await usageOf()).toEqual({
      requests: 5,
      input_tokens: 50,
      output_tokens: 10,
      errors: { rate_limited: 1, server_error: 2, timeout: 0, connection: 0 },
    })
  })

  test('silence is a time-out: before an answer 504, within one a broken connection', async ({ counted, upstream }) => {
    const { url } = await upstream((request, response) => {
      if (request.url === '/within') response.writeHead(200).write('part')
    })
    const { url: sidecar, usageOf } = await counted({ url }, { idleMs: 100 })
    expect(await requestOf(sidecar, '/before')).toMatchObject({ status: 504, text: 'The sidecar got no answer: silent for 0.1 s\n' })
    await expect(requestOf(sidecar, '/within')).rejects.toThrow('aborted')
    expect((await usageOf()).errors).toMatchObject({ timeout: 2, connection: 0 })
  })

  test('a model that is not there is 502, one that breaks off breaks off', async ({ counted, upstream }) => {
    const gone = await counted({ url: await closedPort(upstream) })
    expect(await requestOf(gone.url, CHAT)).toMatchObject({ status: 502, text: expect.stringContaining('ECONNREFUSED') })
    expect((await gone.usageOf()).errors).toMatchObject({ timeout: 0, connection: 1 })

    const { url } = await upstream((request, response) => {
      if (request.url === '/within') response.writeHead(200, { 'content-length': '100' }).write('part', () => response.destroy())
      else request.socket.destroy()
    })
    const breaking = await counted({ url })
    await expect(requestOf(breaking.url, '/within')).rejects.toThrow('aborted')
    expect(await requestOf(breaking.url, '/before')).toMatchObject({ status: 502 })
    expect((await breaking.usageOf()).errors).toMatchObject({ timeout: 0, connection: 2 })
  })

  test('a server that takes a connection and never speaks TLS is given up in time', async ({ counted }) => {
    const mute = createServer(() => undefined)
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
    const { port } = mute.address() as { port: number }
    const { url: sidecar, usageOf } = await counted({ url: new URL(`https://127.0.0.1:${port}`) }, { connectMs: 100 })
    expect(await requestOf(sidecar, CHAT)).toMatchObject({ status: 504, text: expect.stringContaining('no connection within 0.1 s') })
    expect((await usageOf()).errors.timeout).toBe(1)
    mute.close()
  })

  test('an adapter that gives up ends the request to the model; before an answer began that is a time-out', async ({
    counted,
    upstream,
  }) => {
    const ended = vi.fn<() => void>()
    const { url } = await upstream((request, response) => {
      request.socket.once('close', ended)
      if (request.url === '/within') response.writeHead(200).write('part')
    })
    const { url: sidecar, usageOf } = await counted({ url })
    const within = await begin(sidecar, '/within')
    within.destroy()
    await vi.waitFor(() => expect(ended).toHaveBeenCalledTimes(1))
    await expect(fetch(new URL('/before', sidecar), { signal: AbortSignal.timeout(50) })).rejects.toThrow('timeout')
    await vi.waitFor(() => expect(ended).toHaveBeenCalledTimes(2))
    await vi.waitFor(async () => expect((await usageOf()).errors).toMatchObject({ timeout: 1, connection: 0 }))
  })

  // Guarantee: servers close connections that are idle, at the very moment when the next request is sent; nobody sees that.
  test('a connection that was closed meanwhile is no error', async ({ counted, upstream }) => {
    let served = 0
    const { url } = await upstream((request, response) => {
      served++
      if (served === 2) request.socket.destroy()
      else response.end('{}')
    })
    const { url: sidecar, usageOf } = await counted({ url })
    for (let turn = 0; turn < 2; turn++) expect((await requestOf(sidecar, CHAT, { body: '{}' })).status).toBe(200)
    expect(served).toBe(3)
    expect((await usageOf()).errors.connection).toBe(0)
  })
})

describe('credentials', () => {
  test.for<[Record<string, string>, Record<string, string>]>([
    [{ authorization: 'Bearer api-key:ref' }, { authorization: 'Bearer real' }],
    [{ authorization: 'bearer judge_sa_token:ref' }, { authorization: 'Bearer judge' }],
    [{ 'x-api-key': 'api-key:ref' }, { 'x-api-key': 'real' }],
    [{ 'api-key': 'api-key:ref' }, { 'api-key': 'real' }],
    [{ authorization: 'Bearer other' }, { authorization: 'Bearer other' }],
    [{ authorization: 'Bearer' }, { authorization: 'Bearer' }],
  ])('%j goes as %j', async ([sent, expected], { start, upstream, secret }) => {
    const { url } = await upstream((request, response) => void response.end(JSON.stringify(request.headers)))
    const { url: sidecar } = await start({ model: { url, secretPath: await secret({ 'api-key': 'real\n', judge_sa_token: 'judge' }) } })
    expect(JSON.parse((await requestOf(sidecar, CHAT, { headers: sent })).text)).toMatchObject(expected)
  })

  // Guarantee: no token is ever added to a request of an adapter, wherever its model is.
  test('a request without any gets none', async ({ start, upstream, secret }) => {
    const { url } = await upstream((request, response) => void response.end(JSON.stringify(request.headers)))
    const { url: sidecar } = await start({ model: { url, secretPath: await secret({ 'api-key': 'real' }) } })
    expect((await requestOf(sidecar, CHAT)).text).not.toMatch(/authorization|real|evalhub-run/)
  })

  test.for([
    ['Bearer hf-token:ref', /names no credential/],
    ['Bearer sa_token:ref', /names no credential/],
    ['Bearer x/api-key:ref', undefined],
    ['Bearer ../api-key:ref', undefined],
    ['Bearer missing_api-key:ref', /has no value 'missing_api-key'/],
    ['Bearer empty_sa_token:ref', /no token of a service account stands in/],
    ['Bearer odd_api-key:ref', /'odd_api-key' holds characters that no header/],
    ['Bearer bad_api-key:ref', /'bad_url' of the model's Secret is no http/],
  ] as const)('%s is refused, and the model is not asked', async ([authorization, why], { start, upstream, secret }) => {
    const asked: (string | undefined)[] = []
    const { url } = await upstream((request, response) => {
      asked.push(request.headers.authorization)
      response.end()
    })
    const files = { 'hf-token': 'h', empty_sa_token: '\n', 'odd_api-key': 'a\nb', 'bad_api-key': 'b', bad_url: 'file:///etc' }
    const { url: sidecar } = await start({ model: { url, secretPath: await secret(files) } })
    const answer = await requestOf(sidecar, CHAT, { headers: { authorization } })
    if (why) {
      expect(answer).toMatchObject({ status: 400, text: expect.stringMatching(why) })
      expect(asked).toEqual([])
    } else expect(asked).toEqual([authorization]) // no reference at all, so it goes as it is
  })

  test('a value goes to the service that it is for, and to no other', async ({ start, upstream, secret }) => {
    const [model, judge] = [[] as unknown[], [] as unknown[]]
    const recorder = (list: unknown[]) =>
      upstream((request, response) => {
        list.push([request.url, request.headers.authorization, request.headers.host])
        response.end()
      })
    const [modelServer, judgeServer] = [await recorder(model), await recorder(judge)]
    const files = { 'api-key': 'real', 'judge_api-key': 'judged', judge_url: `${judgeServer.url.origin}/ignored` }
    const { url: sidecar } = await start({ model: { url: modelServer.url, secretPath: await secret(files) } })
    for (const key of ['api-key', 'judge_api-key']) await requestOf(sidecar, '/v1/x', { headers: { authorization: `Bearer ${key}:ref` } })
    expect(model).toEqual([['/v1/x', 'Bearer real', modelServer.url.host]])
    expect(judge).toEqual([['/v1/x', 'Bearer judged', judgeServer.url.host]])
  })

  test('a value that is renewed counts from the next request on', async ({ start, upstream, secret }) => {
    const { url } = await upstream((request, response) => void response.end(request.headers.authorization))
    const { url: sidecar } = await start({ model: { url, secretPath: await secret({ 'api-key': 'old' }) } })
    const ask = async () => (await requestOf(sidecar, CHAT, { headers: { authorization: 'Bearer api-key:ref' } })).text
    expect(await ask()).toBe('Bearer old')
    await secret({ 'api-key': 'new' })
    expect(await ask()).toBe('Bearer new')
  })

  // Guarantee: a credential follows no redirect; the adapter, which has only the reference, may.
  test('a redirect is the adapter’s: within the model it leads back to the sidecar, elsewhere it stays', async ({ start, upstream }) => {
    const elsewhere = vi.fn<() => void>()
    const { url: other } = await upstream(elsewhere)
    const { url } = await upstream((request, response) => {
      const target = request.url === '/in' ? `http://${request.headers.host}/v1/there?x=1` : `${other.origin}/steal`
      response.writeHead(307, { location: target }).end()
    })
    const { url: sidecar } = await start({ model: { url } })
    for (const body of [undefined, '{}']) {
      const ask = async (path: string) => (await requestOf(sidecar, path, body === undefined ? {} : { body })).headers.location
      expect(await ask('/out')).toBe(`${other.origin}/steal`)
      expect(await ask('/in')).toBe(`${sidecar.origin}/v1/there?x=1`)
    }
    expect(elsewhere).not.toHaveBeenCalled()
  })
})

describe('what no model may be', () => {
  test.for<[string, string]>([
    ['http://169.254.169.254', 'metadata service'],
    ['http://[::ffff:169.254.169.254]', 'metadata service'],
    ['http://2852039166', 'metadata service'],
    ['http://0xa9.254.0251.254', 'metadata service'],
    ['http://169.254.43518', 'metadata service'],
    ['http://169.254.169.254.', 'metadata service'],
    ['http://１６９．２５４。169.254', 'metadata service'],
    ['http://%31%36%39.254.169.254', 'metadata service'],
    ['http://[64:ff9b:1:a9fe:a9:fe00:808:808]', 'metadata service'],
    ['http://[2001:0:4136:e378:8000:63bf:5601:5601]', 'metadata service'],
    ['http://[fe80::5efe:a9fe:a9fe]', 'metadata service'],
    ['http://user:word@169.254.169.254', 'metadata service'],
    ['http://[64:ff9b::a60:1]:6443', 'the Kubernetes API'],
    ['http://0.0.0.0', 'no particular address'],
    ['http://10.96.0.1:443', 'the Kubernetes API'],
  ])('%s', async ([model, why], { counted }) => {
    const { url: sidecar, usageOf } = await counted({ url: new URL(model) })
    const answer = await requestOf(sidecar, '/latest/meta-data')
    expect(answer).toMatchObject({ status: 403, text: expect.stringContaining(why) })
    expect((await usageOf()).errors).toMatchObject({ timeout: 0, connection: 0 })
  })

  test('EvalHub itself', async ({ start, upstream }) => {
    const asked = vi.fn<() => void>()
    const { url } = await upstream(asked)
    const { url: sidecar } = await start({ hub: { url }, model: { url } })
    expect(await requestOf(sidecar, '/openapi.json')).toMatchObject({ status: 403, text: expect.stringContaining('EvalHub itself') })
    expect(asked).not.toHaveBeenCalled()
  })

  test('outside of the operator’s address ranges, where there are some', async ({ start, upstream }) => {
    const { url } = await upstream((_, response) => void response.end('x'))
    const { url: narrow } = await start({ model: { url, allowedRanges: ['10.0.0.0/8'] } })
    expect(await requestOf(narrow, '/v1')).toMatchObject({ status: 403, text: expect.stringContaining('address ranges for models') })
    const { url: wide } = await start({ model: { url, allowedRanges: ['10.0.0.0/8', '127.0.0.1/32'] } })
    expect(await requestOf(wide, '/v1')).toMatchObject({ status: 200, text: 'x' })
  })

  test('a service of the Secret is no way round', async ({ start, upstream, secret }) => {
    const { url } = await upstream(() => undefined)
    const files = { 'judge_api-key': 'j', judge_url: 'http://169.254.169.254' }
    const { url: sidecar } = await start({ model: { url, secretPath: await secret(files) } })
    expect(await requestOf(sidecar, '/x', { headers: { authorization: 'Bearer judge_api-key:ref' } })).toMatchObject({ status: 403 })
  })
})
