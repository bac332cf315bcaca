import type { Context } from 'hono'
import type { Idempotency } from '#db/commands/claim-key.ts'
import { HubError } from '#shared/errors.ts'
import { sha256 } from '#shared/sha256.ts'
import type { AppEnv } from './env.ts'

const HEADER = 'Idempotency-Key'

/** The header's key: 1 to 255 visible characters. Undefined without one. */
export function idempotencyKeyOf(c: Context<AppEnv>): string | undefined {
  const key = c.req.header(HEADER)
  if (key === undefined || /^[\x21-\x7e]{1,255}$/.test(key)) return key
  throw HubError.of('request_validation_failed', { Error: `${HEADER} must have 1 to 255 visible ASCII characters` })
}

/** What a key asks for that came with `request`, which came from JSON: how it was spaced makes no other request of it. */
export async function idempotencyFor(key: string, request: unknown): Promise<Idempotency> {
  return { key, bodyHash: await sha256(JSON.stringify(request)) }
}

/** What the header `Idempotency-Key` asks for. Undefined without one. `body` is the request's, which has been read as JSON before. */
export async function idempotencyOf(c: Context<AppEnv>, body: string): Promise<Idempotency | undefined> {
  const key = idempotencyKeyOf(c)
  return key === undefined ? undefined : idempotencyFor(key, JSON.parse(body))
}
