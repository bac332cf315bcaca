import type { Context } from 'hono'
import type { AppEnv } from './env.ts'
import { encoded, streamedAnswer } from './streamed-answer.ts'
import { cutOff } from './when-closed.ts'

export const REQUEST_ID_HEADER = 'X-Global-Transaction-Id'

/** Of every answer: a browser takes it for what its type says, and for nothing that it looks like. */
export const NOSNIFF = { 'X-Content-Type-Options': 'nosniff' }

/** What an answer may have that its reader has not taken yet, without being counted: a socket takes as much. */
const SHORT_CHARACTERS = 16 * 1024
/** What is longer is sent piece by piece. */
const WHOLE_CHARACTERS = 1024 * 1024

/** An answer with a JSON body; without one, its status is 204. The published server says `application/json` there too. */
export function answer(c: Context<AppEnv>, status: number, body?: unknown, headers?: Record<string, string>): Response {
  if (body !== undefined) return answerText(c, status, JSON.stringify(body), headers)
  return new Response(null, { status, headers: jsonHeaders(c, headers) })
}

/** As `answer`, with a body that is text already. */
export function answerText(c: Context<AppEnv>, status: number, text: string, headers?: Record<string, string>): Response {
  const init = { status, headers: jsonHeaders(c, headers) }
  if (text.length > WHOLE_CHARACTERS) return longAnswer(c, text, init)
  if (text.length > SHORT_CHARACTERS) holdWhileSent(c, text.length)
  return new Response(`${text}\n`, init)
}

export const jsonHeaders = (c: Context<AppEnv>, headers?: Record<string, string>) => ({
  'Content-Type': 'application/json',
  [REQUEST_ID_HEADER]: c.var.requestId,
  ...NOSNIFF,
  ...headers,
})

/** What has been done is told, whatever it takes. */
const isOwed = (c: Context<AppEnv>) => c.req.method !== 'GET'

/** The text, and its bytes on their way. Where the runtime does not say when they are gone, they are its own affair. */
function holdWhileSent(c: Context<AppEnv>, length: number): void {
  // Answers of routes that hold no memory are errors.
  if (c.env?.outgoing) c.var.memory?.keepForAnswer(2 * length, isOwed(c), cutOff(c))
}

function longAnswer(c: Context<AppEnv>, text: string, init: ResponseInit): Response {
  c.var.memory?.keepForAnswer(2 * text.length, isOwed(c), cutOff(c))
  return streamedAnswer(c, textParts(text), init)
}

function* textParts(text: string): Generator<Uint8Array> {
  yield* encoded(text)
  yield new TextEncoder().encode('\n')
}
