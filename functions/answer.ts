import type { Context } from 'hono'
import type { AppEnv } from './env.ts'

export const REQUEST_ID_HEADER = 'X-Global-Transaction-Id'

/** An answer with a JSON body; without one, its status is 204. The published server says `application/json` there too. */
export function answer(c: Context<AppEnv>, status: number, body?: unknown, headers?: Record<string, string>): Response {
  return new Response(body === undefined ? null : `${JSON.stringify(body)}\n`, {
    status,
    headers: { 'Content-Type': 'application/json', [REQUEST_ID_HEADER]: c.var.requestId, ...headers },
  })
}
