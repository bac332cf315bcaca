import { describe, expect } from 'vitest'
import type { Quotas } from '#shared/domain/quota.ts'
import { createApp } from '../app.ts'
import { callOn, event, JOB, optionsOn, test as base } from '../test-app.ts'

const NONE: Quotas = { openRuns: Infinity, jobsPerMinute: Infinity, storedBytes: Infinity, catalogueEntries: Infinity }
const COLLECTION = { name: 'c', category: 'general', benchmarks: [{ id: 'first', provider_id: 'frame' }] }
const PAIR = { ...JOB, benchmarks: undefined, collection: { id: 'pair-v1' } }

/** `callers(quotas)`: how two tenants ask a hub with these quotas. */
const test = base.extend('callers', async ({ db, tenant }) => async (quotas: Partial<Quotas>) => {
  const app = createApp(await optionsOn(db, { mode: 'none' }, { ...NONE, ...quotas }))
  return [tenant, `${tenant}-other`].map((name) => callOn(app, { 'X-Tenant': name, 'X-User': 'ann' })) as [Caller, Caller]
})
type Caller = ReturnType<typeof callOn>

const refused = { status: 429, body: { message_code: 'quota_exceeded', trace: expect.any(String) } }

describe('a tenant that has used up a quota', () => {
  // Guarantee: 2 kB of one tenant do not make 60,000 runs for everybody.
  test('is refused with which quota it is, how much of it there is, and when to come again; nobody else is', async ({ callers }) => {
    const [call, other] = await callers({ openRuns: 3 })
    expect((await call('POST', '/jobs', PAIR)).status).toBe(202)
    const answer = await call('POST', '/jobs', PAIR)
    expect(answer).toMatchObject(refused)
    expect(answer.body.message).toContain(
      'open_runs of this tenant is used up: it has 2 runs that have not ended, and the job would add 2; its quota is 3',
    )
    expect(answer.headers.get('retry-after')).toBe('60')
    expect((await call('POST', '/jobs', JOB)).status).toBe(202)
    expect((await other('POST', '/jobs', PAIR)).status).toBe(202)
    expect((await call('GET', '/jobs')).body.total_count).toBe(2)
  })

  test('is let in again as its runs end, and may report, read, cancel and delete all the while', async ({ callers }) => {
    const [call] = await callers({ openRuns: 1 })
    const { id } = (await call('POST', '/jobs', JOB)).body.resource
    expect(await call('POST', '/jobs', JOB)).toMatchObject(refused)
    expect((await call('POST', `/jobs/${id}/events`, event('completed', { metrics: { acc: 1 } }))).status).toBe(204)
    await expect.poll(() => call('POST', '/jobs', JOB), { timeout: 5000 }).toMatchObject({ status: 202 })
    const [{ resource }] = (await call('GET', '/jobs?status=pending')).body.items
    expect((await call('DELETE', `/jobs/${resource.id}?hard_delete=true`)).status).toBe(204)
    await expect.poll(() => call('POST', '/jobs', JOB), { timeout: 5000 }).toMatchObject({ status: 202 })
  })

  test('is answered what it asked for before with its key, and that counts once', async ({ callers }) => {
    const [call] = await callers({ openRuns: 2 })
    const key = (name: string) => ({ 'Idempotency-Key': name })
    const first = await call('POST', '/jobs', JOB, key('a'))
    for (let again = 0; again < 3; again++)
      expect((await call('POST', '/jobs', JOB, key('a'))).body.resource.id).toBe(first.body.resource.id)
    expect((await call('POST', '/jobs', JOB)).status).toBe(202)
    expect(await call('POST', '/jobs', JOB)).toMatchObject(refused)
    expect(await call('POST', '/jobs', JOB, key('b'))).toMatchObject(refused)
    expect((await call('POST', '/jobs', JOB, key('a'))).body.resource.id).toBe(first.body.resource.id)
    // What was refused left nothing that stands for its key.
    await call('DELETE', `/jobs/${first.body.resource.id}`)
    expect((await call('POST', '/jobs', JOB, key('b'))).status).toBe(202)
  })

  // Guarantee: who repeats what was not answered yet, one job or a batch, hears of no quota that the first try did not hear of.
  test.for([{ openRuns: 40 }, { jobsPerMinute: 20 }, { storedBytes: 400_000 }])(
    'is answered what it asks for many times at once with its key, and that counts once: %j',
    async (bound, { callers, db, tenant }) => {
      const [call] = await callers(bound)
      await db`insert into evalhub.submit_rates (tenant, minute, jobs) values (${tenant}, now() + interval '1 hour', 0)`
      const repeat = (path: string, body: unknown, key: string) =>
        Promise.all(Array.from({ length: 60 }, () => call('POST', path, body, { 'Idempotency-Key': key })))
      const description = 'x'.repeat(2000)
      const one = await repeat('/jobs', { ...PAIR, description }, 'a')
      expect(new Set(one.map(({ status }) => status))).toEqual(new Set([202]))
      const batches = await repeat('/batch/jobs', { jobs: Array.from({ length: 19 }, () => ({ ...PAIR, description })) }, 'b')
      const items = batches.flatMap(({ body }) => body.items as { status: number; job: { resource: { id: string } } }[])
      expect(new Set(items.map(({ status }) => status))).toEqual(new Set([202]))
      const ids = [...one.map(({ body }) => body.resource.id), ...items.map(({ job }) => job.resource.id)]
      expect(new Set(ids).size).toBe(20)
      expect(await db`select jobs from evalhub.submit_rates where tenant = ${tenant}`).toEqual([{ jobs: 20 }])
      expect((await call('GET', '/jobs')).body.total_count).toBe(20)
    },
  )

  test('has of a batch each job judged by itself', async ({ callers }) => {
    const [call] = await callers({ openRuns: 4 })
    const { body } = await call('POST', '/batch/jobs', { jobs: [PAIR, JOB, PAIR, JOB, JOB] })
    expect(body.items.map(({ status }: { status: number }) => status)).toEqual([202, 202, 429, 202, 429])
    expect(body.items[2].error).toMatchObject({ message_code: 'quota_exceeded', message: expect.stringContaining('open_runs') })
  })

  test('is told how long the minute still takes, and nothing is asked of the database for it meanwhile', async ({
    callers,
    db,
    tenant,
  }) => {
    const [call] = await callers({ jobsPerMinute: 1 })
    await db`insert into evalhub.submit_rates (tenant, minute, jobs) values (${tenant}, now() + interval '1 hour', 0)`
    expect((await call('POST', '/jobs', JOB)).status).toBe(202)
    const answer = await call('POST', '/jobs', JOB)
    expect(answer).toMatchObject(refused)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(3600)
    // Nothing there could say so any more.
    await db`delete from evalhub.submit_rates where tenant = ${tenant}`
    expect(await call('POST', '/jobs', JOB)).toMatchObject(refused)
    expect((await call('POST', '/jobs', JOB, { 'Idempotency-Key': 'k' })).status).toBe(202)
  })

  test.for([['/providers', { name: 'p' }] as const, ['/collections', COLLECTION] as const])(
    'creates what it asks for many times at once with its key once, below %s',
    async ([path, body], { callers }) => {
      const [call] = await callers({ catalogueEntries: 1 })
      const answers = await Promise.all(Array.from({ length: 30 }, () => call('POST', path, body, { 'Idempotency-Key': 'a' })))
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
      expect(new Set(answers.map((answer) => answer.body.resource.id)).size).toBe(1)
      expect(await call('POST', path, body)).toMatchObject(refused)
    },
  )

  test('creates no more providers and collections, and changes those that it has', async ({ callers }) => {
    const [call, other] = await callers({ catalogueEntries: 2 })
    const provider = await call('POST', '/providers', { name: 'p' })
    expect((await call('POST', '/collections', COLLECTION)).status).toBe(201)
    for (const [path, body] of [['/providers', { name: 'p' }] as const, ['/collections', COLLECTION] as const]) {
      const answer = await call('POST', path, body)
      expect(answer).toMatchObject(refused)
      expect(answer.headers.get('retry-after')).toBe('3600')
    }
    expect((await other('POST', '/collections', COLLECTION)).status).toBe(201)
    const one = `/providers/${provider.body.resource.id}`
    expect((await call('PUT', one, { name: 'q' })).status).toBe(200)
    expect((await call('DELETE', one)).status).toBe(204)
    expect((await call('POST', '/providers', { name: 'p' })).status).toBe(201)
  })
})
