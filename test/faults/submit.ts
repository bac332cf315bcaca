import { setTimeout as delay } from 'node:timers/promises'
import type { World } from './world.ts'

type Submitted = { id: string; tenant: string }

const JOBS = '/api/v1/evaluations/jobs'

/** Submits jobs of one run each, in turn for each tenant, until the hub has taken them. */
export async function submitJobs({ functionsUrl, tenants }: World, count: number): Promise<Submitted[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const tenant = tenants[at % tenants.length] ?? ''
      const body = {
        name: 'fault',
        model: { url: 'http://localhost:1/v1', name: 'm' },
        benchmarks: [{ provider_id: 'player', id: 'short' }],
      }
      // One key a job: a submit whose answer is lost is no second job.
      const key = crypto.randomUUID()
      const answer = await insist(functionsUrl + JOBS, {
        method: 'POST',
        headers: { 'idempotency-key': key, ...callerOf(tenant) },
        body: JSON.stringify(body),
      })
      if (answer.status !== 202) throw new Error(`A submit was answered ${answer.status}: ${answer.text}`)
      return { id: (JSON.parse(answer.text) as { resource: { id: string } }).resource.id, tenant }
    }),
  )
}

/** Takes a job back. 409: it had ended already. */
export async function takeBack({ functionsUrl }: World, { id, tenant }: Submitted, isHard: boolean): Promise<void> {
  const { status, text } = await insist(`${functionsUrl}${JOBS}/${id}?hard_delete=${isHard}`, {
    method: 'DELETE',
    headers: callerOf(tenant),
  })
  if (![204, 200, 404, 409].includes(status)) throw new Error(`Taking a job back was answered ${status}: ${text}`)
}

type Pending = { id: string; ageSeconds: number; reason: string | undefined }

/** The runs that a user sees as pending, with the reason they are given. */
export async function listPending({ functionsUrl, tenants }: World): Promise<Pending[]> {
  const lists = await Promise.all(
    tenants.map(async (tenant) => {
      const { status, text } = await insist(`${functionsUrl}${JOBS}?limit=100`, { headers: callerOf(tenant) })
      return status === 200 ? (JSON.parse(text) as { items: Job[] }).items : []
    }),
  )
  return lists.flat().flatMap(({ resource, status }) =>
    status.benchmarks
      .filter((run) => run.status === 'pending')
      .map((run) => ({
        id: resource.id,
        ageSeconds: (Date.now() - Date.parse(resource.created_at)) / 1000,
        reason: run.warning_message?.message,
      })),
  )
}

type Job = {
  resource: { id: string; created_at: string }
  status: { benchmarks: { status: string; warning_message?: { message: string } }[] }
}

const callerOf = (tenant: string) => ({ 'X-Tenant': tenant, 'X-User': 'ann', 'content-type': 'application/json' })

/** No fault keeps the hub away for so long. */
const awayMsMax = 60_000

/** As long as the hub is away or busy. */
async function insist(url: string, init: RequestInit): Promise<{ status: number; text: string }> {
  const endsAtMs = performance.now() + awayMsMax
  for (;;) {
    const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(20_000) }).catch(() => undefined)
    const text = await answer?.text().catch(() => undefined)
    if (answer && text !== undefined && answer.status < 500 && answer.status !== 429) return { status: answer.status, text }
    if (performance.now() > endsAtMs) throw new Error(`The hub does not answer ${url}: ${answer?.status} ${text}`)
    await delay(200)
  }
}
