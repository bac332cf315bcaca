import { setTimeout as delay } from 'node:timers/promises'

/** How an adapter behaves, with the sidecar that speaks for it. */
export type Manner = 'plain' | 'repeats' | 'is late' | 'fails' | 'says nothing'

const MANNERS: readonly Manner[] = ['plain', 'plain', 'plain', 'plain', 'repeats', 'repeats', 'is late', 'is late', 'fails', 'says nothing']

/** What the hub has taken: an answer of 2xx to an event that ends its run. */
export type Acknowledged = { evaluationId: string; attempt: number; status: 'completed' | 'failed'; acc: number | undefined }

export type PlayedAttempt = { evaluationId: string; attempt: number; tenant: string; runToken: string; eventsUrl: string }

export const mannerOf = (chance: number): Manner => MANNERS[Math.floor(chance * MANNERS.length)] ?? 'plain'

/**
 * Reports one attempt to its end as a sidecar would, each event until the hub has an opinion on it. Answers what was acknowledged, and the exit code.
 *
 * `isOver` is asked before each event: an adapter whose pod has gone says nothing more.
 */
export async function playAdapter(attempt: PlayedAttempt, manner: Manner, workMs: number, isOver: () => boolean) {
  const acknowledged: Acknowledged[] = []
  const say = async (status: 'running' | 'completed' | 'failed', more: object = {}) => {
    const answer = await post(attempt, { status, ...more }, isOver)
    if (answer === undefined || status === 'running' || answer < 200 || answer > 299) return
    const { evaluationId, attempt: number } = attempt
    acknowledged.push({ evaluationId, attempt: number, status, acc: 'metrics' in more ? (more.metrics as { acc: number }).acc : undefined })
  }
  const results = { metrics: { acc: Math.random() } }
  await say('running', { progress: 0.1 })
  if (manner === 'repeats') await say('running', { progress: 0.1 })
  await delay(workMs)
  if (manner === 'says nothing') return { acknowledged, exitCode: 3 }
  if (manner === 'fails') {
    await say('failed', { error_message: { message: 'The data set is empty.', message_code: 'x' } })
    return { acknowledged, exitCode: 1 }
  }
  await say('completed', results)
  if (manner === 'repeats') await say('completed', results)
  if (manner === 'is late') {
    await say('running', { progress: 0.5 })
    await say('failed', { error_message: { message: 'too late', message_code: 'x' } })
  }
  return { acknowledged, exitCode: 0 }
}

/** The status of the hub's opinion; undefined if the pod went before there was one. */
async function post({ eventsUrl, evaluationId, tenant, runToken }: PlayedAttempt, event: object, isOver: () => boolean) {
  const body = JSON.stringify({ benchmark_status_event: { provider_id: 'player', id: 'short', benchmark_index: 0, ...event } })
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${runToken}`, 'x-tenant': tenant }
  while (!isOver()) {
    const url = `${eventsUrl}/api/v1/evaluations/jobs/${evaluationId}/events`
    const answer = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(10_000) }).catch(() => undefined)
    await answer?.arrayBuffer().catch(() => undefined)
    if (answer && answer.status < 500 && answer.status !== 429 && answer.status !== 401) return answer.status
    await delay(200)
  }
  return undefined
}
