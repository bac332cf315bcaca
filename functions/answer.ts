import type { Context } from 'hono'
import type { AppEnv } from './env.ts'

export const REQUEST_ID_HEADER = 'X-Global-Transaction-Id'

/** What an answer may have that its reader has not taken yet, without being counted: a socket takes as much. */
const SHORT_CHARACTERS = 16 * 1024

/** An answer with a JSON body; without one, its status is 204. The published server says `application/json` there too. */
export function answer(c: Context<AppEnv>, status: number, body?: unknown, headers?: Record<string, string>): Response {
  const text = body === undefined ? null : `${JSON.stringify(body)}\n`
  if (text !== null && text.length > SHORT_CHARACTERS) holdWhileSent(c, text.length)
  return new Response(text, { status, headers: jsonHeaders(c, headers) })
}

export const jsonHeaders = (c: Context<AppEnv>, headers?: Record<string, string>) => ({
  'Content-Type': 'application/json',
  [REQUEST_ID_HEADER]: c.var.requestId,
  ...headers,
})

/** The text, and its bytes on their way. Where the runtime does not say when they are gone, they are its own affair. */
function holdWhileSent(c: Context<AppEnv>, length: number): void {
  const outgoing = c.env?.outgoing
  // What answers are made of is refused where it is reserved; errors have no memory of their own.
  if (!outgoing || outgoing.destroyed || !c.var.memory) return
  const hold = c.var.memory.keepForAnswer(2 * length, c.req.method !== 'GET')
  outgoing.once('close', hold.release)
}
