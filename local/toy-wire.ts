import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { shareOf } from './toy-answers.ts'
import { tokensOf } from './toy-text.ts'
import type { Completion, Logprobs } from './toy-text.ts'

/** The name says it: whatever it scores says nothing about any model. */
export const TOY_MODEL_NAME = 'evalhub-toy-model'

/** `created` of every answer: the toy's answers depend on the prompt, never on the time. */
export const TOY_CREATED = Date.UTC(2026, 0, 1) / 1000

const FIRST_TOKEN_MS = { least: 20, most: 60 }
const NEXT_TOKEN_MS = 5

/** How one of the two APIs writes an answer down, whole or in pieces. */
type Dialect = {
  idPrefix: string
  object: string
  chunkObject: string
  whole: (text: string, finish: string) => object
  piece: (text: string, isFirst: boolean) => object
  last: (finish: string) => object
}

export const CHAT: Dialect = {
  idPrefix: 'chatcmpl',
  object: 'chat.completion',
  chunkObject: 'chat.completion.chunk',
  whole: (content, finish) => ({ index: 0, message: { role: 'assistant', content }, finish_reason: finish }),
  piece: (content, isFirst) => ({ index: 0, delta: isFirst ? { role: 'assistant', content } : { content }, finish_reason: null }),
  last: (finish) => ({ index: 0, delta: {}, finish_reason: finish }),
}

/** Streams carry no log-probabilities. */
export const completions = (logprobs: Logprobs | null): Dialect => ({
  idPrefix: 'cmpl',
  object: 'text_completion',
  chunkObject: 'text_completion',
  whole: (text, finish) => ({ index: 0, text, logprobs, finish_reason: finish }),
  piece: (text) => ({ index: 0, text, logprobs: null, finish_reason: null }),
  last: (finish) => ({ index: 0, text: '', logprobs: null, finish_reason: finish }),
})

export type Reply = {
  prompt: string
  completion: Completion
  dialect: Dialect
  /** Stands before what the toy writes. */
  echoed: string
  stream: boolean
  /** Whether a stream ends with the count of tokens. */
  streamUsage: boolean
  /** Multiplies every delay. */
  pace: number
}

function usageOf({ prompt, completion }: Reply) {
  const [read, written] = [tokensOf(prompt).length, completion.tokens.length]
  return { prompt_tokens: read, completion_tokens: written, total_tokens: read + written }
}

/** What every body of an answer begins with. */
const headOf = ({ prompt, dialect }: Reply) => ({
  id: `${dialect.idPrefix}-toy-${Math.floor(shareOf(prompt) * 2 ** 32).toString(16)}`,
  created: TOY_CREATED,
  model: TOY_MODEL_NAME,
})

const firstTokenMs = ({ prompt, pace }: Reply) =>
  (FIRST_TOKEN_MS.least + (FIRST_TOKEN_MS.most - FIRST_TOKEN_MS.least) * shareOf(prompt)) * pace

async function sendWhole(c: Context, reply: Reply): Promise<Response> {
  const { completion, dialect, echoed, pace } = reply
  await sleep(firstTokenMs(reply) + Math.max(0, completion.tokens.length - 1) * NEXT_TOKEN_MS * pace)
  const choices = [dialect.whole(echoed + completion.tokens.join(''), completion.finish)]
  return c.json({ ...headOf(reply), object: dialect.object, choices, usage: usageOf(reply) })
}

function sendStream(c: Context, reply: Reply): Response {
  const { completion, dialect, echoed, pace } = reply
  const pieces = [echoed, ...completion.tokens].filter((piece) => piece !== '')
  return streamSSE(c, async (stream) => {
    const write = (choices: object[], more = {}) =>
      stream.writeSSE({ data: JSON.stringify({ ...headOf(reply), object: dialect.chunkObject, choices, ...more }) })

    for (const [index, piece] of pieces.entries()) {
      await sleep(index === 0 ? firstTokenMs(reply) : NEXT_TOKEN_MS * pace)
      if (stream.aborted) return
      await write([dialect.piece(piece, index === 0)])
    }
    await write([dialect.last(completion.finish)])
    if (reply.streamUsage) await write([], { usage: usageOf(reply) })
    await stream.writeSSE({ data: '[DONE]' })
  })
}

/** Answers at the toy's pace, in one body or as server-sent events. */
export const send = (c: Context, reply: Reply) => (reply.stream ? sendStream(c, reply) : sendWhole(c, reply))

/** A refusal in the form of the API. */
export const refuse = (c: Context, status: 400 | 404 | 500, message: string) =>
  c.json({ error: { message, type: status === 500 ? 'server_error' : 'invalid_request_error', param: null, code: null } }, status)
