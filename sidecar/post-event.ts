import { readFile } from 'node:fs/promises'
import type { SidecarSettings } from './config.ts'
import { parseObject } from './parse-object.ts'
import { readText } from './read-text.ts'
import type { Transport } from './transport.ts'

/**
 * What became of an event. `over`: the hub wants no more of this run. `refused`: not like this, and repeating it would not help.
 * `unanswered`: it must be sent again.
 */
export type Posted =
  { outcome: 'taken' } | { outcome: 'over' | 'refused'; status: number; body: string } | { outcome: 'unanswered'; why: string }

/** 401: a key that is being changed reaches sidecar and hub at different times. */
const REPEATABLE = new Set([401, 408, 425, 429])
const OVER = new Set([403, 404, 409])

/** Sends one event once, as the run; never throws. */
export function createPoster({ hub, run, runTokenPath, tenant, limits }: SidecarSettings, transport: Transport) {
  const path = `${hub.url.pathname.replace(/\/+$/, '')}/api/v1/evaluations/jobs/${encodeURIComponent(run.evaluationId)}/events`

  return async function postEvent(text: string): Promise<Posted> {
    const body = Buffer.from(text)
    try {
      const token = (await readFile(runTokenPath, 'utf8')).trim()
      const identity = ['authorization', `Bearer ${token}`, 'x-tenant', tenant]
      const headers = ['content-type', 'application/json', ...identity]
      const signal = AbortSignal.timeout(limits.eventMs)
      const answer = await transport({ method: 'POST', url: hub.url, path, headers, body, signal })
      return outcomeOf(answer.statusCode ?? 0, await readText(answer))
    } catch (error) {
      return { outcome: 'unanswered', why: error instanceof Error ? error.message : String(error) }
    }
  }
}

function outcomeOf(status: number, body: string): Posted {
  if (status >= 200 && status < 300) return { outcome: 'taken' }
  const isFinal = status >= 400 && status < 500 && !REPEATABLE.has(status) && isOfHub(body)
  if (!isFinal) return { outcome: 'unanswered', why: `the hub answered ${status}` }
  return { outcome: OVER.has(status) ? 'over' : 'refused', status, body }
}

/** A gateway answers 404 and 403 too while the hub is being replaced; the hub's own refusals have a code. */
const isOfHub = (body: string) => typeof parseObject(body)?.message_code === 'string'
