import type { BenchmarkStatusEvent } from '#shared/models/event.ts'
import { pause } from './pause.ts'

/** Where the events of one run go. */
export type EventTarget = {
  url: string
  /** Asked before every request, since tokens are renewed under a running process. */
  headers: () => Promise<Record<string, string>>
}

/**
 * What became of one event.
 *
 * `ended`: the run was already over (409), so nothing more is wanted. `refused`: repeating it
 * would not help. `unreachable`: repeating it may help.
 */
export type Posted = { outcome: 'accepted' | 'ended' } | { outcome: 'refused' | 'unreachable'; why: string }

const STATUS_TIMEOUT_MS = 10_000
const RETRYABLE = new Set([408, 425, 429])

/** The route that takes the events of one evaluation job. */
export const eventsUrl = (callbackUrl: string, jobId: string) =>
  `${callbackUrl.replace(/\/+$/, '')}/api/v1/evaluations/jobs/${encodeURIComponent(jobId)}/events`

/** Why the hub says no, as far as it says it. */
function sentenceOf(body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: unknown }
    return typeof message === 'string' ? `: ${message.slice(0, 1000)}` : ''
  } catch {
    return ''
  }
}

function outcomeOf(status: number, body: string): Posted {
  if (status >= 200 && status < 300) return { outcome: 'accepted' }
  if (status === 409) return { outcome: 'ended' }
  const retryable = status >= 500 || RETRYABLE.has(status)
  return { outcome: retryable ? 'unreachable' : 'refused', why: `the hub answered ${status}${retryable ? '' : sentenceOf(body)}` }
}

/** The innermost reason: fetch wraps `connect ECONNREFUSED …` into `fetch failed`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return `no answer within ${STATUS_TIMEOUT_MS / 1000} s`
  return error.cause instanceof Error && error.cause.message ? error.cause.message : error.message
}

/** Sends one event once; never throws and follows no redirect. */
export async function postEvent(target: EventTarget, event: BenchmarkStatusEvent): Promise<Posted> {
  try {
    const answer = await fetch(target.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(await target.headers()) },
      body: JSON.stringify({ benchmark_status_event: event }),
      redirect: 'manual',
      signal: AbortSignal.timeout(STATUS_TIMEOUT_MS),
    })
    return outcomeOf(answer.status, await answer.text())
  } catch (error) {
    return { outcome: 'unreachable', why: reasonOf(error) }
  }
}

type Delivery = { deliverySeconds: number; log: (line: string) => void }

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 8_000

/**
 * Sends an event until the hub has taken it, refused it, or `deliverySeconds` are over.
 *
 * The hub may get it more than once; it treats a repetition as no news.
 */
export async function deliverEvent(target: EventTarget, event: BenchmarkStatusEvent, { deliverySeconds, log }: Delivery): Promise<Posted> {
  const end = performance.now() + deliverySeconds * 1000
  for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(wait * 2, LONGEST_PAUSE_MS)) {
    const posted = await postEvent(target, event)
    if (posted.outcome !== 'unreachable') return posted
    const left = end - performance.now()
    if (left <= 0) return posted
    log(`The end of the run could not be reported (${posted.why}); trying again.`)
    await pause(Math.min(wait, left), undefined)
  }
}
