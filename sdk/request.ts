import { ApiError, ConnectionError, apiError } from './errors.ts'
import { pause } from './pause.ts'

/** Stops the call; it then rejects with the signal's reason. */
export type CallOptions = { signal?: AbortSignal | undefined }

export type Call = CallOptions & {
  method: 'GET' | 'POST' | 'DELETE'
  /** Below `/api/v1`. Ids in it are already encoded. */
  path: string
  query?: Record<string, string | number | boolean | undefined>
  body?: unknown
  /** Sent as `Idempotency-Key`. */
  idempotencyKey?: string | undefined
  /** Changes nothing, though its method is POST. */
  isReading?: boolean
}

export type Connection = {
  baseUrl: string
  headers: Record<string, string>
  fetch: typeof fetch
  timeoutMs: number
  maxRetries: number
}

/** One request to the hub. */
export type Request = {
  json: <Answer>(call: Call) => Promise<Answer>
  text: (call: Call) => Promise<string>
}

const FIRST_DELAY_MS = 500
const LONGEST_DELAY_MS = 8_000
/** A hub that asks for more than this is down for the caller's purposes. */
const LONGEST_RETRY_AFTER_MS = 60_000

/** What `Retry-After` asks for, in seconds or as a date, in ms. Undefined where it asks for nothing readable. */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (!header) return undefined
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000
  const at = Date.parse(header)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

/**
 * How long to wait before try number `tried + 1`; undefined if it must not be made. The delay doubles from 500 ms to
 * 8 s, and `random` (0 to 1) takes up to half of it away, so that many clients do not come back at once.
 */
export function retryDelayMs(tried: number, maxRetries: number, retryAfter: number | undefined, random: number): number | undefined {
  if (tried > maxRetries) return undefined
  if (retryAfter !== undefined) return retryAfter <= LONGEST_RETRY_AFTER_MS ? retryAfter : undefined
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (tried - 1)) * (1 - random / 2)
}

function urlOf(baseUrl: string, { path, query = {} }: Call): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))
  const search = new URLSearchParams(Object.fromEntries(given)).toString()
  return `${baseUrl}/api/v1${path}${search && `?${search}`}`
}

/** The inner cause names the fact (`ECONNREFUSED`) where fetch says only that it failed. */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  const inner = thrown.cause instanceof Error ? thrown.cause : thrown
  const code: unknown = Reflect.get(inner, 'code')
  return inner.message || (typeof code === 'string' ? code : inner.name)
}

type Answer = { ok: boolean; status: number; text: string; requestId: string | null; retryAfter: string | null }

/** One try. The time-out covers the body too, since a hub can stall in the middle of it. */
async function attempt({ fetch, timeoutMs, headers, baseUrl }: Connection, call: Call, url: string): Promise<Answer | ConnectionError> {
  const timeout = AbortSignal.timeout(timeoutMs)
  const signal = call.signal ? AbortSignal.any([call.signal, timeout]) : timeout
  const content = call.body === undefined ? {} : { body: JSON.stringify(call.body) }
  const type = call.body === undefined ? {} : { 'Content-Type': 'application/json' }
  const key = call.idempotencyKey === undefined ? {} : { 'Idempotency-Key': call.idempotencyKey }
  try {
    // A hub never redirects; following would carry the identity headers to another host.
    const init = { method: call.method, headers: { Accept: 'application/json', ...headers, ...type, ...key }, signal, ...content }
    const response = await fetch(url, { ...init, redirect: 'manual' })
    const text = await response.text()
    const requestId = response.headers.get('X-Global-Transaction-Id')
    return { ok: response.ok, status: response.status, text, requestId, retryAfter: response.headers.get('Retry-After') }
  } catch (thrown) {
    call.signal?.throwIfAborted()
    const what = timeout.aborted
      ? `had no answer within ${timeoutMs} ms`
      : `failed: ${reasonOf(thrown)}. Is an EvalHub running at ${baseUrl}?`
    return new ConnectionError(`${call.method} ${url} ${what}`, { cause: thrown })
  }
}

/** What may be done twice: it reads, or the hub knows it again by its key. */
const isRepeatable = ({ method, isReading, idempotencyKey }: Call) => method === 'GET' || isReading || idempotencyKey !== undefined

/** How long to wait before the next try; undefined if this outcome is the call's. */
function delayAfter(outcome: Answer | ConnectionError, call: Call, tried: number, maxRetries: number): number | undefined {
  if (!isRepeatable(call)) return undefined
  if (outcome instanceof ConnectionError) return retryDelayMs(tried, maxRetries, undefined, Math.random())
  if (outcome.status !== 429 && outcome.status < 500) return undefined
  return retryDelayMs(tried, maxRetries, retryAfterMs(outcome.retryAfter, Date.now()), Math.random())
}

async function send(connection: Connection, call: Call): Promise<Answer> {
  const url = urlOf(connection.baseUrl, call)
  for (let tried = 1; ; tried++) {
    const outcome = await attempt(connection, call, url)
    if (!(outcome instanceof ConnectionError) && outcome.ok) return outcome

    const delayMs = delayAfter(outcome, call, tried, connection.maxRetries)
    if (delayMs !== undefined) await pause(delayMs, call.signal)
    else throw outcome instanceof ConnectionError ? outcome : apiError(`${call.method} ${url}`, outcome)
  }
}

function parseAnswer(call: Call, { status, text, requestId }: Answer): unknown {
  try {
    return JSON.parse(text)
  } catch {
    const message = `${call.method} ${call.path} was answered with something that is not JSON; is \`baseUrl\` the address of an EvalHub?`
    throw new ApiError(message, { status, messageCode: undefined, requestId: requestId ?? undefined, body: text })
  }
}

/**
 * The one way to the hub. What reads, and what has an idempotency key, is repeated on connection errors, 429 and 5xx, up to
 * `maxRetries` times; everything else is sent once. Throws `ApiError` or `ConnectionError`, or the reason of an aborted `signal`.
 */
export function createRequest(connection: Connection): Request {
  return {
    async json<Answer>(call: Call) {
      // The hub's answers follow its published document. They are not parsed again: a newer hub may say more than this client knows.
      return parseAnswer(call, await send(connection, call)) as Answer
    },
    async text(call) {
      return (await send(connection, call)).text
    },
  }
}
