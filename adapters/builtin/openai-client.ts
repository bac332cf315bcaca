import type { IncomingMessage } from 'node:http'
import { performance } from 'node:perf_hooks'
import { readAnswer, readLogprobs, type AnswerPart, type Logprobs, type Tokens } from './model-answer.ts'
import { BODY_MAX_BYTES, createRequester, readBody, type Endpoint } from './model-request.ts'
import type { Api } from './model-url.ts'
import type { Prompt } from './prompt.ts'
import { createRandom, seedFrom } from './random.ts'
import { RequestError } from './request-error.ts'
import { withRetries } from './retry.ts'
import { serverSentEvents } from './server-sent-events.ts'

export type GenerateOptions = { maxTokens: number; temperature: number; stop?: string[] | undefined; stream: boolean }

/** One answer. Times in milliseconds from the moment the (last) request was sent. */
export type Answer = {
  text: string
  finishReason?: string | undefined
  tokens: Tokens
  latencyMs: number
  /** Of a stream: when the first and the last piece of output came. */
  firstTokenMs?: number
  lastTokenMs?: number
}

type Ask = { signal: AbortSignal; key: string }

export type ModelClient = {
  /** Throws `RequestError`, or the signal's reason. `key` names the item, and seeds its back-off. */
  generate: (prompt: Prompt, options: GenerateOptions, ask: Ask) => Promise<Answer>
  /** Log-probabilities of the tokens of `text` itself; undefined if the endpoint answers without. `generated` tokens follow them. */
  promptLogprobs: (text: string, generated: 0 | 1, ask: Ask) => Promise<{ logprobs: Logprobs | undefined; tokens: Tokens }>
  /** As it may be shown. */
  urlOf: (api: Api) => string
  close: () => void
}

type Collected = Omit<Answer, 'latencyMs'>

/** Puts a stream together. It must end by `[DONE]` or name a reason to end: anything else was cut off. */
async function collectStream(answer: IncomingMessage, elapsed: () => number): Promise<Collected> {
  const collected: Collected = { text: '', tokens: {} }
  let done = false
  for await (const data of serverSentEvents(answer.iterator({ destroyOnReturn: false }))) {
    if (data.trim() === '[DONE]') {
      done = true
      break
    }
    const part = readAnswer(data)
    if (part.text || part.reasoning) {
      collected.firstTokenMs ??= elapsed()
      collected.lastTokenMs = elapsed()
    }
    collected.text += part.text ?? ''
    if (collected.text.length > BODY_MAX_BYTES)
      throw new RequestError('malformed', `sent an answer of more than ${BODY_MAX_BYTES} characters`)
    collected.finishReason = part.finishReason ?? collected.finishReason
    collected.tokens = { ...collected.tokens, ...part.tokens }
  }
  if (!done && collected.finishReason === undefined) throw new RequestError('dropped', 'closed the connection in the middle of the answer')
  answer.resume() // What follows `[DONE]` is read away, so that the connection can be used again.
  return collected
}

async function collectWhole(answer: IncomingMessage): Promise<AnswerPart> {
  const part = readAnswer(await readBody(answer))
  const answered = part.text !== undefined || part.finishReason !== undefined
  if (!answered) throw new RequestError('malformed', 'sent an answer without a choice')
  return part
}

const promptFields = (prompt: Prompt) => ('text' in prompt ? { prompt: prompt.text } : { messages: prompt.messages })

/** A client of one endpoint. It repeats what may be repeated and holds no more than `maxConcurrency` connections. */
export function createModelClient(endpoint: Endpoint): ModelClient {
  const { maxRetries, firstBackoffMs, seed } = endpoint
  const { attempt, urlOf, close } = createRequester(endpoint)
  /** Some servers refuse a field that they do not know; then it is left out from there on. */
  const refused = { streamOptions: false }

  const retrying = <Result>({ signal, key }: Ask, once: () => Promise<Result>) =>
    withRetries(once, { maxRetries, firstMs: firstBackoffMs, random: createRandom(seedFrom(`${seed}/${key}`)), signal })

  async function generateOnce(
    prompt: Prompt,
    { maxTokens, temperature, stop, stream }: GenerateOptions,
    signal: AbortSignal,
  ): Promise<Answer> {
    const api: Api = 'text' in prompt ? 'completions' : 'chat'
    const streaming = { stream: true, ...(!refused.streamOptions && { stream_options: { include_usage: true } }) }
    const fields = { ...promptFields(prompt), max_tokens: maxTokens, temperature, stop, ...(stream && streaming) }
    const started = performance.now()
    const elapsed = () => performance.now() - started
    return attempt(api, fields, signal, async (answer) => {
      if (stream) return { ...(await collectStream(answer, elapsed)), latencyMs: elapsed() }
      const { text = '', finishReason, tokens } = await collectWhole(answer)
      return { text, finishReason, tokens, latencyMs: elapsed() }
    })
  }

  return {
    generate: (prompt, options, ask) =>
      retrying(ask, async () => {
        try {
          return await generateOnce(prompt, options, ask.signal)
        } catch (error) {
          const unknownField = error instanceof RequestError && error.kind === 'rejected' && error.message.includes('stream_options')
          if (!unknownField || refused.streamOptions) throw error
          refused.streamOptions = true
          return generateOnce(prompt, options, ask.signal)
        }
      }),
    promptLogprobs: (text, generated, ask) =>
      retrying(ask, () =>
        attempt(
          'completions',
          { prompt: text, max_tokens: generated, temperature: 0, echo: true, logprobs: 1 },
          ask.signal,
          async (answer) => {
            const { logprobs, tokens } = readAnswer(await readBody(answer))
            return { logprobs: readLogprobs(logprobs), tokens }
          },
        ),
      ),
    urlOf,
    close,
  }
}
