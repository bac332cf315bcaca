/**
 * Why one request to the model brought no answer.
 *
 * `kind` decides what happens next. `busy` (408, 429, 5xx), `timeout`, `unreachable` (refused, unknown
 * host) and `dropped` (closed early) may be repeated. `rejected` (another status) and `malformed` (an
 * answer that is no answer) are final. `message` names the status or cause, never the key.
 */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly kind: RequestErrorKind
  /** HTTP status, if the endpoint answered. */
  readonly status: number | undefined
  /** How long the endpoint asks to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined

  constructor(
    kind: RequestErrorKind,
    message: string,
    details: { status?: number | undefined; retryAfterMs?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause })
    this.kind = kind
    this.status = details.status
    this.retryAfterMs = details.retryAfterMs
  }
}

export type RequestErrorKind = 'busy' | 'timeout' | 'unreachable' | 'dropped' | 'rejected' | 'malformed'

const RETRYABLE: ReadonlySet<RequestErrorKind> = new Set(['busy', 'timeout', 'unreachable', 'dropped'])

export const isRetryable = ({ kind }: RequestError) => RETRYABLE.has(kind)

/** True for an error that every further request would meet too: nobody listens there, the key or the route is wrong. */
export const isHopeless = ({ kind, status }: RequestError) => kind === 'unreachable' || status === 401 || status === 403 || status === 404

const RETRY_AFTER_MAX_MS = 60_000

/** `Retry-After` as seconds or as a date, at most a minute. `now` in milliseconds since 1970. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined
  const ms = /^\s*\d+(\.\d+)?\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isNaN(ms) ? undefined : Math.min(RETRY_AFTER_MAX_MS, Math.max(0, ms))
}

const BACKOFF_MAX_MS = 30_000

/** Pause before repetition `attempt` (from 0): doubling from `firstMs`, half of it by chance, never less than the endpoint asks for. */
export function backoffMs(
  attempt: number,
  { firstMs, random, retryAfterMs }: { firstMs: number; random: number; retryAfterMs: number | undefined },
): number {
  const full = Math.min(BACKOFF_MAX_MS, firstMs * 2 ** attempt)
  return Math.max(full * (0.5 + random / 2), retryAfterMs ?? 0)
}

const REFUSED: Record<string, string> = {
  ECONNREFUSED: 'refused the connection',
  ENOTFOUND: 'has an unknown host name',
  EAI_AGAIN: 'has a host name that cannot be resolved now',
  EHOSTUNREACH: 'has no route to its host',
  ENETUNREACH: 'has no route to its network',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'has a certificate that is not trusted (self-signed)',
  SELF_SIGNED_CERT_IN_CHAIN: 'has a certificate that is not trusted (self-signed in the chain)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'has a certificate that is not trusted',
  CERT_HAS_EXPIRED: 'has an expired certificate',
  ERR_TLS_CERT_ALTNAME_INVALID: 'has a certificate for another host',
}

/** A socket's error in words. */
export function connectionError(error: unknown): RequestError {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const refused = code === undefined ? undefined : REFUSED[code]
  if (refused) return new RequestError('unreachable', refused, { cause: error })
  const detail = code ?? (error instanceof Error ? error.message : String(error))
  return new RequestError('dropped', `closed the connection before the answer was complete (${detail})`, { cause: error })
}
