import type { EvaluationJob } from './models.ts'

type Answered = { status: number; messageCode: string | undefined; requestId: string | undefined; body: unknown }

/**
 * The hub answered, and the answer was no. `messageCode` is the contract's code, such as
 * `resource_not_found`; it is absent if something other than a hub answered. `requestId`
 * finds the request in the hub's log.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly messageCode: string | undefined
  readonly requestId: string | undefined
  /** As received: parsed where it is JSON, else text. */
  readonly body: unknown

  constructor(message: string, { status, messageCode, requestId, body }: Answered) {
    super(message)
    this.status = status
    this.messageCode = messageCode
    this.requestId = requestId
    this.body = body
  }
}

/** No answer: refused, dropped, unknown host, or too slow. A POST may have taken effect all the same. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
}

/** `wait` gave up; the job goes on. `job` is how it was last seen. */
export class WaitTimeoutError extends Error {
  override readonly name = 'WaitTimeoutError'
  readonly job: EvaluationJob

  constructor(job: EvaluationJob, timeoutMs: number) {
    super(`Evaluation job ${job.resource.id} is still ${job.status.state} after ${timeoutMs} ms`)
    this.job = job
  }
}

const HINTS: Record<string, string> = {
  missing_tenant_header: 'give `tenant` to createClient',
  missing_user_header: 'give `user` to createClient',
}

function hintFor(status: number, code: string | undefined): string | undefined {
  if (code !== undefined && HINTS[code]) return HINTS[code]
  if (status === 401 || status === 403) return 'check the `token` and `tenant` given to createClient'
  if (code === undefined && status >= 300 && status < 500) return 'is this the address of an EvalHub? Check `baseUrl`'
  return undefined
}

const textOf = (body: unknown, key: string): string | undefined => {
  const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, key) : undefined
  return typeof value === 'string' && value !== '' ? value : undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The error for an answer that is no success. `call` names the request, such as `GET http://…`; `requestId` is the header's. */
export function apiError(call: string, answer: { status: number; text: string; requestId: string | null }): ApiError {
  const { status, text } = answer
  const body = parsed(text)
  const messageCode = textOf(body, 'message_code')
  const requestId = answer.requestId ?? textOf(body, 'trace')
  const said = textOf(body, 'message') ?? (text.trim().slice(0, 200) || 'no explanation')
  const hint = hintFor(status, messageCode)
  const details = [String(status), messageCode, requestId && `request ${requestId}`].filter(Boolean).join(', ')
  const message = `${call} was refused: ${said} (${details})${hint ? `; ${hint}` : ''}`
  return new ApiError(message, { status, messageCode, requestId, body })
}
