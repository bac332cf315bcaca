import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BenchmarkStatusEvent } from '#shared/models/event.ts'
import { readAdapterSettings } from '#sdk/config.ts'
import { runAdapter } from '#sdk/run-adapter.ts'
import { createBuiltinAdapter } from './adapter.ts'
import { SHIPPED } from './shipped.ts'
import { inShownDigits } from './shown-digits.ts'
import { wilsonInterval } from './statistics.ts'

let folder: string
let servers: Server[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evalhub-builtin-'))
  servers = []
})
afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  await rm(folder, { recursive: true })
})

async function serve(handle: (request: IncomingMessage, response: ServerResponse, body: string) => void): Promise<string> {
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (part: string) => (body += part))
    request.on('end', () => handle(request, response, body))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

type Asked = { route: string; text: string; body: Record<string, unknown> }

/** An endpoint in the manner of OpenAI's; `reply` gives the text, or a status that is answered instead. */
function serveModel(reply: (asked: Asked) => string | number): Promise<string> {
  return serve((request, response, body) => {
    const parsed = JSON.parse(body) as { messages?: { content: string }[]; prompt?: string; stream?: boolean }
    const text = parsed.messages?.at(-1)?.content ?? parsed.prompt ?? ''
    const answer = reply({ route: request.url ?? '', text, body: parsed })
    if (typeof answer === 'number') return response.writeHead(answer).end(JSON.stringify({ error: { message: 'no' } }))
    const usage = { prompt_tokens: 7, completion_tokens: 2 }
    if (!parsed.stream) return response.end(JSON.stringify({ choices: [{ message: { content: answer }, finish_reason: 'stop' }], usage }))
    const parts = [answer.slice(0, 1), answer.slice(1)].map((content) => ({ choices: [{ delta: { content } }] }))
    const events = [...parts, { choices: [], usage }].map((part) => `data: ${JSON.stringify(part)}\n\n`)
    return response.end(`${events.join('')}data: [DONE]\n\n`)
  })
}

type Run = { benchmark: string; model: string; parameters?: Record<string, unknown>; numExamples?: number; secretRef?: string }

/** Runs the adapter as the hub does, and answers its last event, all events and the exit code. */
async function run({ benchmark, model, parameters = {}, numExamples, secretRef }: Run) {
  const events: BenchmarkStatusEvent[] = []
  const hub = await serve((_, response, body) => {
    events.push(BenchmarkStatusEvent.parse((JSON.parse(body) as { benchmark_status_event: unknown }).benchmark_status_event))
    response.writeHead(204).end()
  })
  const spec = {
    id: 'job-1',
    provider_id: 'builtin',
    benchmark_id: benchmark,
    benchmark_index: 0,
    model: { url: `${model}/v1`, name: 'toy', ...(secretRef && { auth: { secret_ref: secretRef } }) },
    ...(numExamples !== undefined && { num_examples: numExamples }),
    parameters,
    callback_url: hub,
  }
  const jobSpecPath = join(folder, 'run', 'meta', 'job.json')
  await mkdir(dirname(jobSpecPath), { recursive: true })
  await writeFile(jobSpecPath, JSON.stringify(spec))
  const settings = { ...readAdapterSettings({ EVALHUB_JOB_SPEC_PATH: jobSpecPath }), deliverySeconds: 2 }
  const code = await runAdapter(createBuiltinAdapter({ testDataDir: join(folder, 'test_data'), cwd: folder }), settings)
  return { events, last: events.at(-1)!, code }
}

async function dataSet(rows: readonly Record<string, unknown>[]): Promise<string> {
  const path = join(folder, 'data.jsonl')
  await writeFile(path, rows.map((row) => JSON.stringify(row)).join('\n'))
  return path
}

const samplesOf = async (last: BenchmarkStatusEvent) => {
  const { uri, sha256, bytes } = last.artifacts!.samples as { uri: string; sha256: string; bytes: number }
  const content = await readFile(fileURLToPath(uri))
  expect([createHash('sha256').update(content).digest('hex'), content.length]).toEqual([sha256, bytes])
  const rows = content
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown> & { index: number })
  return rows.toSorted((left, right) => left.index - right.index)
}

const sums = Array.from({ length: 10 }, (_, at) => ({ id: `s${at}`, question: `${at} + 1 =`, answer: `${at + 1}`, pattern: '(a)\\1' }))
const sumOf = (text: string) => String(Number(text.split(' ')[0]) + 1)
const noRetries = { max_retries: 0, concurrency: 2 }

describe('generation', () => {
  test('reports exact scores, interval and counts, and a sample an item', async () => {
    const model = await serveModel(({ text }) => (text.startsWith('3') || text.startsWith('4') ? 'no idea' : `It is ${sumOf(text)}.`))
    const { last, code } = await run({ benchmark: 'generation', model, parameters: { dataset: await dataSet(sums), scorer: 'numeric' } })

    expect(code).toBe(0)
    expect(last).toMatchObject({ status: 'completed', phase: 'completed', progress: 1, metrics: { score: 0.8 } })
    expect(last.metrics!.score_stderr).toBeCloseTo(Math.sqrt(0.16 / 9), 12)
    const statistics = { n: 10, planned: 10, scored: 10, failed: 0, bounds: [0.8, 0.8], ci95: inShownDigits(wilsonInterval(8, 10)) }
    expect(last.additional_info).toMatchObject({ scorer: 'numeric', statistics: { score: statistics } })
    expect(last.warning_message).toBeUndefined()

    const samples = await samplesOf(last)
    expect(samples).toHaveLength(10)
    const third = samples.find(({ id }) => id === 's3')
    expect(third).toMatchObject({ input: 'user: 3 + 1 =', output: 'no idea', gold: ['4'], score: 0, tokens: { input: 7, output: 2 } })
  })

  test('counts a failed request as an error, never as a wrong answer', async () => {
    const model = await serveModel(({ text }) => (text.startsWith('3') ? 500 : text.startsWith('4') ? 'wrong' : sumOf(text)))
    const parameters = { ...noRetries, dataset: await dataSet(sums), max_error_rate: 0.1 }
    const { last, code } = await run({ benchmark: 'generation', model, parameters })

    expect(code).toBe(0)
    expect(last.metrics!.score).toBeCloseTo(8 / 9, 12)
    expect(last.additional_info).toMatchObject({ statistics: { score: { n: 9, planned: 10, scored: 9, failed: 1, bounds: [0.8, 0.9] } } })
    expect(last.warning_message).toMatchObject({
      message_code: 'items_without_score',
      message: `1 of 10 items has no score: ${model}/v1/chat/completions answered 500: no (once). They count as errors, not as wrong answers.`,
    })
    const failed = (await samplesOf(last)).find(({ id }) => id === 's3')
    expect(failed).toMatchObject({ error: 'answered 500: no' })
    expect(failed).not.toHaveProperty('score')
  })

  test('fails above max_error_rate, naming URL, counts and cause, and keeps the samples', async () => {
    const model = await serveModel(({ text }) => (text.startsWith('3') || text.startsWith('4') ? 500 : sumOf(text)))
    const parameters = { ...noRetries, dataset: await dataSet(sums), max_error_rate: 0.1 }
    const { last, code } = await run({ benchmark: 'generation', model, parameters })

    expect(code).toBe(1)
    expect(last).toMatchObject({ status: 'failed', error_message: { message_code: 'too_many_errors', message_origin: 'adapter' } })
    expect(last.error_message!.message).toContain(`2 of 10 items have no score: ${model}/v1/chat/completions answered 500: no (2 times)`)
    expect(last.metrics).toBeUndefined()
    expect((await samplesOf(last)).filter(({ error }) => error)).toHaveLength(2)
  })

  test('stops after the first requests when none can work', async () => {
    let count = 0
    const model = await serveModel(() => {
      count++
      return 401
    })
    const many = Array.from({ length: 2000 }, (_, index) => ({ question: `q${index}`, answer: 'x' }))
    const { last } = await run({
      benchmark: 'generation',
      model,
      parameters: { ...noRetries, dataset: await dataSet(many), max_error_rate: 1 },
    })
    expect(last.error_message).toMatchObject({ message_code: 'model_unusable' })
    expect(last.error_message!.message).toContain('answered 401')
    expect(count).toBeLessThan(10)
  })

  test('shows worked examples that are not scored', async () => {
    const bodies: { messages: { role: string; content: string }[] }[] = []
    const model = await serveModel(({ text, body }) => {
      bodies.push(body as (typeof bodies)[number])
      return sumOf(text)
    })
    const parameters = { dataset: await dataSet(sums), num_fewshot: 2, system_prompt: 'Add.', prompt_template: '{{question}}' }
    const { last } = await run({ benchmark: 'generation', model, parameters })

    expect(last.additional_info).toMatchObject({ few_shot: 2, statistics: { score: { planned: 8, scored: 8 } } })
    const [{ messages } = { messages: [] }] = bodies
    expect(messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user', 'assistant', 'user'])
    const shown = new Set(
      messages
        .filter(({ role }) => role === 'user')
        .slice(0, 2)
        .map(({ content }) => content),
    )
    const scored = (await samplesOf(last)).map(({ id }) => sums.find((sum) => sum.id === id)?.question)
    expect(scored.some((question) => shown.has(question!))).toBe(false)
  })

  // Guarantee: neither a pattern nor an answer can hold up the run. JavaScript's own engine never ends with the first two.
  test.each([
    ['a?'.repeat(100) + 'a'.repeat(100), 'a'.repeat(100), { status: 'completed', metrics: { score: inShownDigits(1 / 11) } }],
    [
      '(?:[ab]?){900}c',
      'ab'.repeat(50_000),
      { status: 'failed', error_message: { message: expect.stringMatching(/no score: the pattern \(/) } },
    ],
  ])('by pattern is as quick with a hostile one', async (pattern, said, outcome) => {
    const model = await serveModel(() => said)
    const dataset = await dataSet([...sums, { id: 'a', question: '', answer: said }])
    const { last } = await run({ benchmark: 'generation', model, parameters: { dataset, scorer: 'regex', pattern } })
    expect(last).toMatchObject(outcome)
  })

  test.each([
    [{ scorer: 'bleu' }, 'Parameter scorer is "bleu"; allowed: one of'],
    [{ dataset: 'missing.jsonl' }, 'Parameter dataset names no file'],
    [{ prompt_template: '{{nothing}}' }, 'data.jsonl:1: prompt_template names {{nothing}}'],
    [{ answer_field: 'nothing' }, 'data.jsonl:1: field nothing must be text or a list of texts.'],
    [{ few_shot: 10 }, 'Parameter few_shot is 10; allowed: less than the 10 rows'],
    [{ scorer: 'regex', pattern: '(' }, 'Parameter pattern: /(/ is not a regular expression: missing closing )'],
    [{ scorer: 'regex', pattern: '(.*)(?=.)' }, 'Parameter pattern: /(.*)(?=.)/ has a lookahead at position 4'],
    [{ scorer: 'regex', answer_field: 'pattern' }, 'data.jsonl:1: /(a)\\1/ has a back reference at position 3'],
  ])('fails before the first request for %j', async (parameters, message) => {
    let count = 0
    const model = await serveModel(() => {
      count++
      return 'x'
    })
    const { last, code } = await run({ benchmark: 'generation', model, parameters: { dataset: await dataSet(sums), ...parameters } })
    expect([code, count]).toEqual([1, 0])
    expect(last.error_message!.message).toContain(message)
  })

  test('warns of a parameter without meaning', async () => {
    const model = await serveModel(({ text }) => sumOf(text))
    const { last } = await run({
      benchmark: 'generation',
      model,
      parameters: { dataset: await dataSet(sums), tempature: 1 },
      numExamples: 2,
    })
    expect(last).toMatchObject({
      status: 'completed',
      warning_message: { message: 'Parameters without meaning here, ignored: tempature (is temperature meant?).' },
    })
    expect(last.additional_info).toMatchObject({ statistics: { score: { planned: 2 } } })
  })

  test('sends the key of a local secret, and never reports it', async () => {
    await mkdir(join(folder, 'secret'))
    await writeFile(join(folder, 'secret', 'api-key'), 'key-12345678\n')
    const keys = new Set<string | undefined>()
    const model = await serve((request, response) => {
      keys.add(request.headers.authorization)
      response.writeHead(401).end(JSON.stringify({ error: { message: `key ${request.headers.authorization} is wrong` } }))
    })
    const parameters = { dataset: await dataSet(sums) }
    const { events, last } = await run({ benchmark: 'generation', model, parameters, secretRef: join(folder, 'secret') })
    expect([...keys]).toEqual(['Bearer key-12345678'])
    expect(last.error_message!.message).toContain('key Bearer [redacted] is wrong')
    expect(JSON.stringify(events)).not.toContain('key-12345678')
    expect(await readFile(join(folder, 'run', 'samples.jsonl'), 'utf8')).not.toContain('key-12345678')
  })
})

const questions = Array.from({ length: 12 }, (_, index) => ({
  id: `q${index}`,
  question: `Which is ${index}?`,
  choices: ['no', `it is ${index}`, 'never'],
  gold: 1,
}))

/** Prompt log-probabilities in which each word is a token, and `valueOf` says how likely it is. */
function serveLogprobs(valueOf: (word: string) => number) {
  return serve((_, response, body) => {
    const { prompt } = JSON.parse(body) as { prompt: string }
    const tokens = prompt.match(/\s*\S+/g) ?? []
    const offsets = tokens.map((_token, at) => tokens.slice(0, at).join('').length)
    const values = tokens.map((token, at) => (at === 0 ? null : valueOf(token.trim())))
    const top = tokens.map((token, at) => (at === 0 ? null : { [token]: values[at] }))
    response.end(
      JSON.stringify({
        choices: [{ text: prompt, logprobs: { tokens, token_logprobs: values, text_offset: offsets, top_logprobs: top } }],
      }),
    )
  })
}

describe('multiple_choice', () => {
  test('compares log-probabilities where the endpoint offers them', async () => {
    // "it", "is" and the number cost 1 each, "no" 2, "never" 4: the short wrong choice wins by sum, the right one by length.
    const model = await serveLogprobs((word) => ({ no: -2, never: -4 })[word] ?? -1)
    const { last } = await run({ benchmark: 'multiple_choice', model, parameters: { dataset: await dataSet(questions) } })
    expect(last).toMatchObject({
      status: 'completed',
      metrics: { acc: 0, acc_norm: 1, acc_stderr: 0, acc_norm_stderr: 0 },
      additional_info: { method: 'logprobs', method_reason: 'the endpoint offers log-probabilities of the prompt' },
    })
    const [sample] = await samplesOf(last)
    expect(sample).toMatchObject({ output: 'no', chosen: 0, gold: 1, score: 0, acc_norm: 1, logprobs: [-2, -3, -4] })
  })

  test('asks for a letter otherwise, says why, and shows the right choice under every letter', async () => {
    const model = await serveModel(({ route, text }) => {
      if (route === '/v1/completions') return 404
      return `${/^([A-Z])\. it is/m.exec(text)?.[1]}.`
    })
    const { last } = await run({ benchmark: 'multiple_choice', model, parameters: { dataset: await dataSet(questions) } })
    expect(last).toMatchObject({
      status: 'completed',
      metrics: { acc: 1 },
      additional_info: { method: 'letter', answers_without_letter: 0 },
    })
    expect(last.additional_info!.method_reason).toContain(`${model}/v1/completions answered 404`)
    expect(new Set((await samplesOf(last)).map(({ gold }) => gold))).toEqual(new Set(['A', 'B', 'C']))
  })

  test('an answer without a letter is a wrong answer, and counted', async () => {
    const model = await serveModel(({ route }) => (route === '/v1/completions' ? 404 : 'I would rather not say'))
    const { last } = await run({ benchmark: 'multiple_choice', model, parameters: { dataset: await dataSet(questions) }, numExamples: 5 })
    expect(last).toMatchObject({
      metrics: { acc: 0 },
      additional_info: { answers_without_letter: 5, statistics: { acc: { n: 5, failed: 0 } } },
    })
  })

  test('does not take an endpoint that is down for one without log-probabilities', async () => {
    const model = await serveModel(() => 503)
    const parameters = { dataset: await dataSet(questions), max_retries: 0 }
    const { last } = await run({ benchmark: 'multiple_choice', model, parameters })
    expect(last.error_message).toEqual({
      message_code: 'model_unusable',
      message: `${model}/v1/completions answered 503: no.`,
      message_origin: 'adapter',
    })
  })

  test('fails if log-probabilities are demanded and missing', async () => {
    const model = await serveModel(({ route }) => (route === '/v1/completions' ? 400 : 'A'))
    const parameters = { dataset: await dataSet(questions), method: 'logprobs' }
    expect((await run({ benchmark: 'multiple_choice', model, parameters })).last.error_message).toMatchObject({
      message_code: 'logprobs_missing',
    })
  })

  test.each([
    [{ question: 'q', choices: ['a', 'b'], gold: 2 }, 'data.jsonl:1: field gold must be the position of the right choice, 0 to 1.'],
    [{ question: 'q', choices: ['a'], gold: 0 }, 'data.jsonl:1: field choices must have 2 to 26 choices.'],
  ])('refuses %j', async (row, message) => {
    const model = await serveModel(() => 'A')
    const { last } = await run({ benchmark: 'multiple_choice', model, parameters: { dataset: await dataSet([row]) } })
    expect(last.error_message!.message).toContain(message)
  })
})

describe('performance', () => {
  test('measures each level of a sweep by streamed requests', async () => {
    const model = await serveModel(() => 'story')
    const parameters = { profile: 'sweep', levels: [1, 2], requests: 6, warmup_requests: 2 }
    const { last } = await run({ benchmark: 'performance', model, parameters })
    expect(last.status).toBe('completed')
    expect(last.additional_info).toMatchObject({
      profile: 'sweep',
      levels: [
        { concurrency: 1, planned: 6, scored: 6, failed: 0 },
        { concurrency: 2, planned: 6 },
      ],
    })
    const metrics = last.metrics as Record<string, number>
    expect(metrics.output_tokens_mean).toBe(2)
    expect(metrics.output_tokens_per_s).toBeCloseTo(2 * metrics.requests_per_s!, 6)
    expect(metrics.input_tokens_per_s).toBeCloseTo(7 * metrics.requests_per_s!, 6)
    expect(metrics.request_latency_ms_p99).toBeGreaterThanOrEqual(metrics.ttft_ms_p50!)
    expect(metrics.ttft_ms_mean_stderr).toBeGreaterThan(0)
    expect(await samplesOf(last)).toHaveLength(12)
  })

  test('fails above max_error_rate', async () => {
    let count = 0
    const model = await serveModel(() => (++count % 2 === 0 ? 500 : 'story'))
    const parameters = { concurrency: 1, requests: 6, warmup_requests: 0 }
    const { last } = await run({ benchmark: 'performance', model, parameters })
    expect(last.error_message!.message).toBe(
      `3 of 6 requests failed: ${model}/v1/chat/completions answered 500: no (3 times). More than max_error_rate 0.01 allows.`,
    )
  })
})

test('an unknown benchmark is refused with those that exist', async () => {
  const { last } = await run({ benchmark: 'mmlu', model: 'http://127.0.0.1:1' })
  expect(last.error_message).toMatchObject({ message_code: 'benchmark_unknown' })
  expect(last.error_message!.message).toContain('generation, multiple_choice, performance, arithmetic_problems')
})

test.each(Object.keys(SHIPPED))('%s has at least 100 items and is evaluated without a parameter', async (benchmark) => {
  const model = await serveModel(({ route }) => (route === '/v1/completions' ? 404 : 'A'))
  const { last } = await run({ benchmark, model, numExamples: 3 })
  expect(last.status).toBe('completed')
  expect(last.additional_info!.dataset_rows).toBeGreaterThanOrEqual(100)
})
