import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { Endpoint } from './model-request.ts'
import { createModelClient, type ModelClient } from './openai-client.ts'

type Handle = (request: IncomingMessage, response: ServerResponse, body: string, count: number) => void

const open: { servers: Server[]; clients: ModelClient[] } = { servers: [], clients: [] }
afterEach(() => {
  for (const client of open.clients.splice(0)) client.close()
  for (const server of open.servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A loopback server; `count` says which request it is, from 1. */
async function serve(handle: Handle) {
  const seen = { count: 0, connections: 0 }
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (part: string) => (body += part))
    request.on('end', () => handle(request, response, body, ++seen.count))
  })
  server.on('connection', () => seen.connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.servers.push(server)
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, seen }
}

function clientOf(baseUrl: string, changes: Partial<Endpoint> = {}): ModelClient {
  const patience = { timeoutMs: 5000, maxRetries: 3, firstBackoffMs: 1, maxConcurrency: 4, seed: 1 }
  const client = createModelClient({ baseUrl, model: 'm', extra: {}, ...patience, ...changes })
  open.clients.push(client)
  return client
}

const never = new AbortController().signal
const prompt = { messages: [{ role: 'user' as const, content: 'hi' }] }
const plain = { maxTokens: 5, temperature: 0, stream: false }
const streamed = { ...plain, stream: true }
const ask = { signal: never, key: 'a' }

const whole = {
  choices: [{ message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 3, completion_tokens: 1 },
}
const json = (response: ServerResponse, body: unknown, status = 200) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
const event = (body: unknown) => `data: ${JSON.stringify(body)}\n\n`
const delta = (content: string, finish_reason: string | null = null) => event({ choices: [{ delta: { content }, finish_reason }] })

describe('generate', () => {
  test('sends an OpenAI request and reads text and counts', async () => {
    const bodies: unknown[] = []
    const { url } = await serve((request, response, body) => {
      bodies.push([request.url, request.headers.authorization, JSON.parse(body)])
      json(response, whole)
    })
    const answer = await clientOf(url, { apiKey: 'key-1', extra: { top_p: 0.5, temperature: null } }).generate(
      prompt,
      { ...plain, stop: ['x'] },
      ask,
    )
    expect(answer).toMatchObject({ text: 'hello', finishReason: 'stop', tokens: { input: 3, output: 1 } })
    const sent = { model: 'm', messages: prompt.messages, max_tokens: 5, stop: ['x'], top_p: 0.5 }
    expect(bodies).toEqual([['/v1/chat/completions', 'Bearer key-1', sent]])
  })

  test('asks the completions route for a text prompt, and does not invent counts', async () => {
    const { url } = await serve((request, response) => json(response, { choices: [{ text: request.url }] }))
    const { text, tokens } = await clientOf(url).generate({ text: 'hi' }, plain, ask)
    expect([text, tokens]).toEqual(['/v1/completions', {}])
  })

  test('puts a stream together and times its first and last piece', async () => {
    const { url, seen } = await serve((_, response) => {
      response.writeHead(200)
      response.write(event({ choices: [{ delta: { role: 'assistant' } }] }) + delta('he').slice(0, 10))
      setTimeout(() => response.write(delta('he').slice(10)), 40)
      setTimeout(() => {
        response.write(delta('llo', 'stop'))
        response.end(`${event({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 } })}data: [DONE]\n\n`)
      }, 80)
    })
    const client = clientOf(url, { maxConcurrency: 1 })
    const answer = await client.generate(prompt, streamed, ask)
    expect(answer).toMatchObject({ text: 'hello', finishReason: 'stop', tokens: { input: 3, output: 2 } })
    expect(answer.firstTokenMs).toBeGreaterThan(30)
    expect(answer.lastTokenMs).toBeGreaterThan(answer.firstTokenMs! + 20)
    await client.generate(prompt, streamed, ask)
    expect(seen).toEqual({ count: 2, connections: 1 })
  })

  test.each([429, 500, 503, 408])('repeats after %i until it is answered', async (status) => {
    const { url, seen } = await serve((_, response, __, count) => (count < 3 ? json(response, {}, status) : json(response, whole)))
    expect((await clientOf(url).generate(prompt, plain, ask)).text).toBe('hello')
    expect(seen.count).toBe(3)
  })

  test.each([
    [400, 'answered 400: no such field'],
    [401, 'answered 401: no such field'],
    [404, 'answered 404: no such field'],
    [501, 'answered 501: no such field'],
  ])('does not repeat after %i, and says what the endpoint said', async (status, message) => {
    const { url, seen } = await serve((_, response) => json(response, { error: { message: 'no such field' } }, status))
    await expect(clientOf(url).generate(prompt, plain, ask)).rejects.toMatchObject({ kind: 'rejected', status, message })
    expect(seen.count).toBe(1)
  })

  test('waits as long as Retry-After says', async () => {
    const { url } = await serve((_, response, __, count) =>
      count === 1 ? response.writeHead(429, { 'retry-after': '0.3' }).end() : json(response, whole),
    )
    const started = performance.now()
    await clientOf(url).generate(prompt, plain, ask)
    expect(performance.now() - started).toBeGreaterThan(290)
  })

  test('gives up after its repetitions, with the last cause', async () => {
    const { url, seen } = await serve((_, response) => json(response, { error: 'overloaded' }, 500))
    await expect(clientOf(url, { maxRetries: 2 }).generate(prompt, plain, ask)).rejects.toMatchObject({
      kind: 'busy',
      message: 'answered 500: overloaded',
    })
    expect(seen.count).toBe(3)
  })

  test.each([
    ['no JSON', (response: ServerResponse) => response.end('<html>'), 'sent an answer that is not JSON'],
    ['other JSON', (response: ServerResponse) => response.end('{"ok":true}'), 'sent JSON that is not an OpenAI answer'],
    ['no choice', (response: ServerResponse) => response.end('{"choices":[]}'), 'sent an answer without a choice'],
    ['an error', (response: ServerResponse) => response.end('{"error":{"message":"boom"}}'), 'sent an error instead of an answer: boom'],
  ])('an answer with %s is malformed, and not repeated', async (_, reply, message) => {
    const { url, seen } = await serve((_request, response) => reply(response))
    await expect(clientOf(url).generate(prompt, plain, ask)).rejects.toMatchObject({ kind: 'malformed', message })
    expect(seen.count).toBe(1)
  })

  test('a whole answer that is cut off is repeated', async () => {
    const { url, seen } = await serve((_, response, __, count) => {
      if (count > 1) return json(response, whole)
      response.writeHead(200, { 'content-length': '1000' }).write('{"choices"')
      setTimeout(() => response.destroy(), 10)
    })
    expect((await clientOf(url).generate(prompt, plain, ask)).text).toBe('hello')
    expect(seen.count).toBe(2)
  })

  test.each([
    ['by a broken connection', (response: ServerResponse) => response.destroy(), /closed the connection before the answer was complete/],
    ['by a clean end', (response: ServerResponse) => response.end(), /closed the connection in the middle of the answer/],
  ])('a stream that ends early %s is an error, never a short answer', async (_, end, message) => {
    const { url } = await serve((_request, response) => {
      response.writeHead(200).write(delta('he'))
      setTimeout(() => end(response), 10)
    })
    await expect(clientOf(url, { maxRetries: 1 }).generate(prompt, streamed, ask)).rejects.toMatchObject({
      kind: 'dropped',
      message: expect.stringMatching(message),
    })
  })

  test('a malformed event within a stream is malformed', async () => {
    const { url } = await serve((_, response) => response.writeHead(200).end(`${delta('he')}data: {oops\n\n`))
    await expect(clientOf(url).generate(prompt, streamed, ask)).rejects.toMatchObject({ kind: 'malformed' })
  })

  test.each([
    ['never answers', () => undefined],
    ['stops within its answer', (response: ServerResponse) => void response.writeHead(200).write('{"choices"')],
  ])('an endpoint that %s is a time-out', async (_, reply) => {
    const { url, seen } = await serve((_request, response) => reply(response))
    const client = clientOf(url, { timeoutMs: 100, maxRetries: 1 })
    await expect(client.generate(prompt, plain, ask)).rejects.toMatchObject({ kind: 'timeout', message: 'did not answer within 0.1 s' })
    expect(seen.count).toBe(2)
  })

  test('nobody listening is said in words', async () => {
    const { url } = await serve(() => undefined)
    const [server] = open.servers.splice(0)
    await new Promise((resolve) => server!.close(resolve))
    await expect(clientOf(url, { maxRetries: 0 }).generate(prompt, plain, ask)).rejects.toMatchObject({
      kind: 'unreachable',
      message: 'refused the connection',
    })
  })

  // Guarantee: the key goes to the model's host only, and not even an endpoint that repeats it brings it into a message.
  test('follows no redirect, and shows no key', async () => {
    const other = await serve((_, response) => json(response, whole))
    const { url } = await serve((_, response) =>
      response.writeHead(307, { location: other.url }).end(JSON.stringify({ error: 'bad key key-12345678' })),
    )
    const failure = clientOf(url, { apiKey: 'key-12345678' }).generate(prompt, plain, ask)
    await expect(failure).rejects.toMatchObject({ message: 'answered 307 (redirects are not followed): bad key [redacted]' })
    expect(other.seen.count).toBe(0)
  })

  test('leaves out stream_options where the endpoint refuses it', async () => {
    const { url, seen } = await serve((_, response, body) => {
      if (body.includes('stream_options')) return json(response, { error: { message: 'unknown field stream_options' } }, 400)
      response.end(`${delta('ok', 'stop')}data: [DONE]\n\n`)
    })
    const client = clientOf(url)
    expect((await client.generate(prompt, streamed, ask)).text).toBe('ok')
    await client.generate(prompt, streamed, ask)
    expect(seen.count).toBe(3)
  })

  test('an abort ends a request and a pause at once, with its reason', async () => {
    for (const reply of [() => undefined, (response: ServerResponse) => response.writeHead(429, { 'retry-after': '30' }).end()]) {
      const { url } = await serve((_, response) => void reply(response))
      const stop = new AbortController()
      const running = clientOf(url).generate(prompt, plain, { signal: stop.signal, key: 'a' })
      setTimeout(() => stop.abort(new Error('stopped')), 50)
      await expect(running).rejects.toThrow('stopped')
    }
  })
})

describe('promptLogprobs', () => {
  const logprobs = { tokens: ['a', 'b'], token_logprobs: [null, -1], text_offset: [0, 1], top_logprobs: [null, { b: -1 }] }

  test('asks for the prompt’s own log-probabilities', async () => {
    let sent: unknown
    const { url } = await serve((request, response, body) => {
      sent = [request.url, JSON.parse(body)]
      json(response, { choices: [{ text: 'ab', logprobs }], usage: { prompt_tokens: 2 } })
    })
    expect(await clientOf(url).promptLogprobs('ab', 0, ask)).toEqual({ logprobs, tokens: { input: 2 } })
    expect(sent).toEqual(['/v1/completions', { model: 'm', prompt: 'ab', max_tokens: 0, temperature: 0, echo: true, logprobs: 1 }])
  })

  test.each([null, { tokens: ['a'], token_logprobs: [] }, { tokens: [], token_logprobs: [] }, 'no'])('takes %j for none', async (sent) => {
    const { url } = await serve((_, response) => json(response, { choices: [{ text: 'ab', logprobs: sent }] }))
    expect((await clientOf(url).promptLogprobs('ab', 0, ask)).logprobs).toBeUndefined()
  })
})
