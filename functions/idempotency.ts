import type { Context } from 'hono'
import type { Idempotency } from '#db/commands/claim-key.ts'
import { HubError } from '#shared/errors.ts'
import { sha256 } from '#shared/sha256.ts'
import type { AppEnv } from './env.ts'

const HEADER = 'Idempotency-Key'

/** What the header `Idempotency-Key` asks for: 1 to 255 visible characters. Undefined without one. `body` is the request's. */
export async function idempotencyOf(c: Context<AppEnv>, body: string): Promise<Idempotency | undefined> {
  const key = c.req.header(HEADER)
  if (key === undefined) return undefined
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw HubError.of('request_validation_failed', { Error: `${HEADER} must have 1 to 255 visible ASCII characters` })
  }
  return { key, bodyHash: await sha256(body) }
}
