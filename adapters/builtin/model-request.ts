import type { IncomingMessage } from 'node:http'
import { gatherBytes } from '#shared/gather-bytes.ts'
import { openConnection } from './http-post.ts'
import { errorText } from './model-answer.ts'
import { routeUrl, shownUrl, type Api } from './model-url.ts'
import { connectionError, RequestError, retryAfterMs } from './request-error.ts'

/** Longest answer that is read; more is malformed. */
export const BODY_MAX_BYTES = 16 * 1024 * 1024

/** An OpenAI-compatible endpoint and how patiently it is asked. */
export type Endpoint = {
  baseUrl: string
  model: string
  /** Sent to the endpoint's own host and nowhere else. */
  apiKey?: string | undefined
  /** PEM of one more certificate authority. */
  ca?: string | undefined
  /** Added to each request's body as they are; a null removes the field of that name. */
  extra: Readonly<Record<string, unknown>>
  maxConcurrency: number
  timeoutMs: number
  maxRetries: number
  /** First pause before a repetition, in milliseconds; it doubles. */
  firstBackoffMs: number
  seed: number
}

/** The whole body as text. */
export async function readBody(answer: IncomingMessage): Promise<string> {
  const gathered = gatherBytes()
  let bytes = 0
  for await (const part of answer as AsyncIterable<Uint8Array>) {
    bytes += part.length
    if (bytes > BODY_MAX_BYTES) throw new RequestError('malformed', `sent an answer of more than ${BODY_MAX_BYTES} bytes`)
    gathered.add(part)
  }
  return Buffer.from(gathered.take().buffer).toString('utf8')
}

async function refusal(answer: IncomingMessage): Promise<RequestError> {
  const status = answer.statusCode ?? 0
  const said = errorText(await readBody(answer).catch(() => ''))
  // 501 says that there is no such ability, which no repetition brings.
  const busy = status === 408 || status === 429 || (status >= 500 && status !== 501)
  const redirect = status >= 300 && status < 400 ? ' (redirects are not followed)' : ''
  const message = `answered ${status}${redirect}${said ? `: ${said}` : ''}`
  return new RequestError(busy ? 'busy' : 'rejected', message, {
    status,
    retryAfterMs: retryAfterMs(answer.headers['retry-after'], Date.now()),
  })
}

export type Requester = {
  /** One try within the time-out. Throws `RequestError`, whose words never hold the key, or the signal's reason. */
  attempt: <Read>(
    api: Api,
    fields: Record<string, unknown>,
    signal: AbortSignal,
    read: (answer: IncomingMessage) => Promise<Read>,
  ) => Promise<Read>
  /** As it may be shown. */
  urlOf: (api: Api) => string
  close: () => void
}

function withoutKey(error: RequestError, apiKey: string | undefined): RequestError {
  const { kind, status, retryAfterMs, message } = error
  if (!apiKey || !message.includes(apiKey)) return error
  return new RequestError(kind, message.replaceAll(apiKey, '[redacted]'), { status, retryAfterMs })
}

/** Sends single requests to an endpoint; the key goes to the endpoint's own host and nowhere else. */
export function createRequester({ baseUrl, model, apiKey, ca, extra, maxConcurrency, timeoutMs }: Endpoint): Requester {
  const urls = { chat: routeUrl(baseUrl, 'chat'), completions: routeUrl(baseUrl, 'completions') }
  const connection = openConnection({ maxSockets: maxConcurrency, ca })
  const headers = { 'content-type': 'application/json', accept: 'application/json', ...(apiKey && { authorization: `Bearer ${apiKey}` }) }

  const bodyOf = (fields: Record<string, unknown>) =>
    JSON.stringify(
      Object.fromEntries(Object.entries({ model, ...fields, ...extra }).filter(([, value]) => value !== null && value !== undefined)),
    )

  async function attempt<Read>(
    api: Api,
    fields: Record<string, unknown>,
    signal: AbortSignal,
    read: (answer: IncomingMessage) => Promise<Read>,
  ) {
    const timeout = AbortSignal.timeout(timeoutMs)
    let answer: IncomingMessage | undefined
    try {
      answer = await connection.post(urls[api], { headers, body: bodyOf(fields), signal: AbortSignal.any([signal, timeout]) })
      answer.on('error', () => undefined) // A connection that breaks after the answer was read is nobody's error.
      if (answer.statusCode !== 200) throw await refusal(answer)
      return await read(answer)
    } catch (error) {
      answer?.destroy()
      if (signal.aborted) throw signal.reason
      if (timeout.aborted) throw new RequestError('timeout', `did not answer within ${timeoutMs / 1000} s`)
      throw withoutKey(error instanceof RequestError ? error : connectionError(error), apiKey)
    }
  }

  return { attempt, urlOf: (api) => shownUrl(urls[api]), close: connection.close }
}
