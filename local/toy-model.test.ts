import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toyAnswer, toyErrs, toyKnows } from './toy-answers.ts'
import type { ToyItem } from './toy-answers.ts'
import { startToyModel } from './toy-model.ts'
import type { ToyModel } from './toy-model.ts'

const sums = Array.from({ length: 100 }, (_, n): ToyItem => ({
  dataset: 'arithmetic_problems',
  id: `s-${n}`,
  question: `What is ${n} + 1?`,
  answers: [`${n + 1}`],
}))
const choices = ['iron', 'sea water', 'sand', 'a very long and winding description of something']
const science = Array.from({ length: 40 }, (_, n): ToyItem => ({
  dataset: 'science_choice',
  id: `q-${n}`,
  question: `Which is number ${n}?`,
  choices,
  gold: n % 4,
}))
const items = [...sums, ...science]
const ERROR_RATE = 0.05

let toy: ToyModel

beforeAll(async () => {
  toy = await startToyModel({ items, pace: 0, errorRate: ERROR_RATE })
})
afterAll(() => toy.stop())

const post = (path: string, body: object) =>
  fetch(`${toy.url}${path}`, {
    method: 'POST',
    body: JSON.stringify({ model: toy.name, ...body }),
    headers: { 'Content-Type': 'application/json' },
  })

const chat = (content: string, more = {}) => post('/chat/completions', { messages: [{ role: 'user', content }], ...more })

const jsonOf = async (response: Promise<Response>) => JSON.parse(await (await response).text())

const linesOf = async (response: Response) => (await response.text()).split('\n\n').filter(Boolean)

const chunksOf = (lines: string[]) => lines.slice(0, -1).map((line) => JSON.parse(line.replace(/^data: /, '')))

describe('the toy model', () => {
  test('says that it is a toy', async () => {
    expect(toy.name).toBe('evalhub-toy-model')
    const { data } = await jsonOf(fetch(`${toy.url}/models`))
    expect(data).toMatchObject([{ id: 'evalhub-toy-model', description: expect.stringContaining('toy') }])
  })

  // Guarantee: what tests and the demo expect from it can be computed from the data sets.
  test('answers each known question as toyAnswer and toyErrs say', async () => {
    const answers = await Promise.all(
      sums.map(async ({ question }) => {
        const response = await chat(`Answer with a number.\n${question}`)
        const { choices, error } = JSON.parse(await response.text())
        return response.status === 200 ? choices[0].message.content : `${response.status} ${error.type}`
      }),
    )
    expect(answers).toEqual(sums.map((item) => (toyErrs(item, ERROR_RATE) ? '500 server_error' : toyAnswer(item))))
    expect(sums.filter((item) => toyErrs(item, ERROR_RATE)).length).toBeGreaterThan(0)
    expect(sums.filter(toyKnows).length).toBeGreaterThan(60)
  })

  test('gives the same answer at any time, in any order', async () => {
    const ask = () => Promise.all(['Tell me something', sums[3]!.question].map((prompt) => jsonOf(chat(prompt))))
    const [first, second] = [await ask(), await ask()]
    expect(second).toEqual(first)
    expect(first[0].choices[0].message.content).not.toBe((await jsonOf(chat('Tell me something else'))).choices[0].message.content)
  })

  test('counts tokens and stops at the limit and at stop words', async () => {
    const limited = await jsonOf(chat('Tell me a story', { max_tokens: 7 }))
    expect(limited).toMatchObject({
      choices: [{ finish_reason: 'length' }],
      usage: { prompt_tokens: 4, completion_tokens: 7, total_tokens: 11 },
    })
    const [word] = limited.choices[0].message.content.split(' ').slice(3)
    const stopped = await jsonOf(chat('Tell me a story', { max_tokens: 7, stop: word }))
    expect(stopped.choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { content: limited.choices[0].message.content.split(word)[0] },
    })
  })

  test.each<[string, object, number]>([
    ['/chat/completions', { messages: [] }, 400],
    ['/chat/completions', { messages: [{ role: 'user', content: 'x' }], model: 'gpt' }, 404],
    ['/completions', { prompt: 5 }, 400],
    ['/embeddings', {}, 404],
  ])('refuses %s %j with %i in the form of the API', async (path, body, status) => {
    const response = await post(path, body)
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ error: { message: expect.any(String), type: 'invalid_request_error' } })
  })

  test('takes its time in proportion to the tokens', async () => {
    const paced = await startToyModel({ items })
    const from = performance.now()
    await (
      await fetch(`${paced.url}/completions`, { method: 'POST', body: JSON.stringify({ model: paced.name, prompt: 'x', max_tokens: 20 }) })
    ).text()
    await paced.stop()
    expect(performance.now() - from).toBeGreaterThan(20 + 19 * 5)
  })
})

describe('a stream', () => {
  test('of chat has the role first, a piece a token, the finish, usage and [DONE]', async () => {
    const request = { max_tokens: 5, stream: true, stream_options: { include_usage: true } }
    const response = await chat('Tell me a story', request)
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    const lines = await linesOf(response)
    expect(lines.at(-1)).toBe('data: [DONE]')

    const chunks = chunksOf(lines)
    expect(chunks).toHaveLength(7)
    expect(chunks[0]).toMatchObject({ object: 'chat.completion.chunk', choices: [{ delta: { role: 'assistant' }, finish_reason: null }] })
    expect(chunks[5]).toMatchObject({ choices: [{ delta: {}, finish_reason: 'length' }] })
    expect(chunks[6]).toMatchObject({ choices: [], usage: { completion_tokens: 5 } })
    const plain = await jsonOf(chat('Tell me a story', { max_tokens: 5 }))
    expect(
      chunks
        .slice(0, 5)
        .map(({ choices }) => choices[0].delta.content)
        .join(''),
    ).toBe(plain.choices[0].message.content)
  })

  test('of a completion carries text', async () => {
    const chunks = chunksOf(await linesOf(await post('/completions', { prompt: sums[3]!.question, stream: true })))
    expect(chunks.map(({ choices }) => choices[0].text).join('')).toBe(toyAnswer(sums[3]!))
    expect(chunks.at(-1)).toMatchObject({ object: 'text_completion', choices: [{ finish_reason: 'stop' }] })
  })
})

describe('log-probabilities', () => {
  const score = async (context: string, continuation: string) => {
    const body = { prompt: context + continuation, echo: true, logprobs: 1, max_tokens: 0 }
    const { choices } = await jsonOf(post('/completions', body))
    const { tokens, token_logprobs, text_offset } = choices[0].logprobs
    const own = token_logprobs.filter((_: number, index: number) => text_offset[index] >= context.length)
    return { text: choices[0].text, tokens, token_logprobs, text_offset, sum: own.reduce((total: number, each: number) => total + each, 0) }
  }
  const best = (sums: number[]) => sums.indexOf(Math.max(...sums))

  test('of an echoed prompt have a token, a number and an offset for every piece, and none for the first', async () => {
    const { text, tokens, token_logprobs, text_offset } = await score('One, two', ' three')
    expect(text).toBe('One, two three')
    expect(tokens).toEqual(['One', ',', ' two', ' three'])
    expect(text_offset).toEqual([0, 3, 4, 8])
    expect(token_logprobs).toEqual([null, expect.any(Number), expect.any(Number), expect.any(Number)])
  })

  test('of what is written follow those of the prompt', async () => {
    const { choices } = await jsonOf(post('/completions', { prompt: 'One', echo: true, logprobs: 1, max_tokens: 2 }))
    expect(choices[0].logprobs.tokens.join('')).toBe(choices[0].text)
    expect(choices[0].logprobs.tokens).toHaveLength(3)
    const alone = await jsonOf(post('/completions', { prompt: 'One', logprobs: 1, max_tokens: 2 }))
    expect(alone.choices[0].logprobs.token_logprobs).toEqual([expect.any(Number), expect.any(Number)])
  })

  test('are highest for the choice that the toy would give, by sum and by length', async () => {
    for (const item of science.filter((each) => !toyErrs(each, ERROR_RATE)).slice(0, 10)) {
      const scores = await Promise.all(choices.map((choice) => score(`${item.question}\nAnswer:`, ` ${choice}`)))
      const toys = choices.indexOf(toyAnswer(item))
      expect(best(scores.map(({ sum }) => sum))).toBe(toys)
      expect(best(scores.map(({ sum }, index) => sum / choices[index]!.length))).toBe(toys)
    }
  })

  test('are highest for the letter of that choice, where letters are listed', async () => {
    const item = science.find((each) => !toyErrs(each, ERROR_RATE))!
    const listed = choices.map((choice, index) => `${'ABCD'[index]}. ${choice}`).join('\n')
    const scores = await Promise.all([...'ABCD'].map((letter) => score(`${item.question}\n${listed}\nAnswer:`, ` ${letter}`)))
    expect(best(scores.map(({ sum }) => sum))).toBe(choices.indexOf(toyAnswer(item)))
  })
})
