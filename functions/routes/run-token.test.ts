import { describe, expect } from 'vitest'
import type { Pool } from '#db/client.ts'
import { makeRunToken } from '#shared/run-token.ts'
import type { Identity } from '../identity/identity.ts'
import { appOn, callOn, eventsAppOn, event, JOB, test as base, type Call } from '../test-app.ts'

const KEY = 'the key of run tokens in these tests'
const PAIR = { ...JOB, benchmarks: undefined, collection: { id: 'pair-v1' } }

// No issuer is asked: run tokens are none of its.
const oidc = { issuer: 'https://issuer.invalid', audience: 'evalhub', userClaim: 'sub', tenantClaim: 'tenants', scopeClaims: ['scope'] }
const MODES: Identity[] = [
  { mode: 'none', runTokenKey: KEY },
  { mode: 'headers', runTokenKey: KEY, reporters: ['reporter'] },
  { mode: 'oidc', runTokenKey: KEY, oidc },
]

const test = base
  /** Submits for the test's tenant in a hub that asks nobody; answers the job's id. */
  .extend('submit', async ({ call }) => async (request: object = PAIR) => {
    const { body } = await call('POST', '/jobs', request)
    return body.resource.id as string
  })

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })
const codeOf = async (answer: ReturnType<Call>) => {
  const { status, body } = await answer
  return [status, body?.message_code]
}

/** Where adapters report to a hub of this identity. */
const reportsTo = (db: Pool, identity: Identity) => (identity.mode === 'headers' ? eventsAppOn(db, identity) : appOn(db, identity))

describe.for(MODES)('in mode $mode', (identity) => {
  test('the token of a run is good for its events, without any other identity', async ({ db, call, submit }) => {
    const adapter = callOn(await reportsTo(db, identity), {})
    const id = await submit()
    const second = bearer(await makeRunToken(KEY, { evaluationId: id, benchmarkIndex: 1, attempt: 1 }))
    for (const status of ['running', 'running', 'completed']) {
      expect(await adapter('POST', `/jobs/${id}/events`, event(status, {}, 'second', 1), second)).toMatchObject({ status: 204 })
    }
    expect((await call('GET', `/jobs/${id}`)).body.status.benchmarks.map((run: { status: string }) => run.status)).toEqual([
      'pending',
      'completed',
    ])
  })

  test('it is good for no other run, and no other job', async ({ db, call, submit }) => {
    const adapter = callOn(await reportsTo(db, identity), {})
    const [id, other] = [await submit(), await submit()]
    const token = bearer(await makeRunToken(KEY, { evaluationId: id, benchmarkIndex: 0, attempt: 1 }))
    const post = (job: string, ...of: Parameters<typeof event>) => codeOf(adapter('POST', `/jobs/${job}/events`, event(...of), token))
    expect(await post(id, 'running', {}, 'second', 1)).toEqual([403, 'forbidden'])
    expect(await post(id, 'running', {}, 'second', 0)).toEqual([404, 'resource_not_found'])
    expect(await post(other, 'running')).toEqual([401, 'unauthorized'])
    for (const job of [id, other]) expect((await call('GET', `/jobs/${job}`)).body.status.state).toBe('pending')
  })

  test('it is good for no other route', async ({ db, submit }) => {
    const adapter = callOn(await reportsTo(db, identity), {})
    const id = await submit()
    const token = bearer(await makeRunToken(KEY, { evaluationId: id, benchmarkIndex: 0, attempt: 1 }))
    const asked = [await adapter('DELETE', `/jobs/${id}`, undefined, token), await adapter('GET', '/jobs', undefined, token)]
    // Without identities it adds nothing to what everybody may do.
    expect(asked.map(({ status }) => status)).toEqual({ none: [204, 200], headers: [404, 404], oidc: [401, 401] }[identity.mode])
  })

  test('a made-up, foreign or altered one is refused', async ({ db, submit }) => {
    const adapter = callOn(await reportsTo(db, identity), { 'X-Tenant': 'red', 'X-User': 'reporter' })
    const id = await submit()
    const run = { evaluationId: id, benchmarkIndex: 0, attempt: 1 }
    const foreign = await makeRunToken('another key of more than 32 characters', run)
    const altered = (await makeRunToken(KEY, run)).replace('.0.1.', '.0.2.')
    for (const token of [foreign, altered, 'evalhub-run.', 'evalhub-run.0.1.']) {
      const answer = await adapter('POST', `/jobs/${id}/events`, event('running'), bearer(token))
      expect(answer).toMatchObject({ status: 401, body: { message_code: 'unauthorized' } })
      expect(answer.text).not.toContain(token)
    }
  })

  // Guarantee: `additional_info.model_usage` is what a sidecar has counted, or it is not there.
  test('only it brings what was asked of models', async ({ db, call, submit }) => {
    const additional_info = { own: 1, model_usage: { requests: 1 }, MODEL_USAGE: {} }
    const result = event('completed', { metrics: { acc: 1 }, additional_info })
    const infoOf = async (id: string) => (await call('GET', `/jobs/${id}`)).body.results.benchmarks[0].additional_info
    const id = await submit()
    const token = bearer(await makeRunToken(KEY, { evaluationId: id, benchmarkIndex: 0, attempt: 1 }))
    expect(await callOn(await reportsTo(db, identity), {})('POST', `/jobs/${id}/events`, result, token)).toMatchObject({ status: 204 })
    expect((await infoOf(id)).model_usage).toEqual({ requests: 1 })

    const claimed = await submit()
    expect(await call('POST', `/jobs/${claimed}/events`, result)).toMatchObject({ status: 204 })
    expect(await infoOf(claimed)).toEqual({ own: 1 })
  })

  // Guarantee: what an attempt that was given up still says changes nothing, whatever state its run is in.
  test('that of an attempt that is over is refused from then on', async ({ db, call, submit }) => {
    const adapter = callOn(await reportsTo(db, identity), {})
    const id = await submit()
    const tokenOf = async (attempt: number) => bearer(await makeRunToken(KEY, { evaluationId: id, benchmarkIndex: 0, attempt }))
    const post = async (attempt: number, ...of: Parameters<typeof event>) =>
      codeOf(adapter('POST', `/jobs/${id}/events`, event(...of), await tokenOf(attempt)))
    expect(await post(1, 'running', { progress: 0.5 })).toEqual([204, undefined])
    expect(await post(2, 'running')).toEqual([403, 'forbidden']) // not begun yet

    await db`update evalhub.runs set attempt = 2, state = 'pending', phase = null, progress = null
      where evaluation_id = ${id} and benchmark_index = 0`
    expect(await post(1, 'running', { progress: 0.9 })).toEqual([403, 'forbidden'])
    expect(await post(1, 'completed', { metrics: { acc: 1 } })).toEqual([403, 'forbidden'])
    expect((await call('GET', `/jobs/${id}`)).body.status.benchmarks[0]).toMatchObject({ status: 'pending' })

    expect(await post(2, 'running', { progress: 0.1 })).toEqual([204, undefined])
    expect(await post(1, 'running', { progress: 0.9 })).toEqual([403, 'forbidden'])
    expect((await call('GET', `/jobs/${id}`)).body.status.benchmarks[0]).toMatchObject({ status: 'running', progress: 0.1 })
  })

  test('that of a job that is gone is no token of anything', async ({ db, call, submit }) => {
    const adapter = callOn(await reportsTo(db, identity), {})
    const id = await submit()
    const token = bearer(await makeRunToken(KEY, { evaluationId: id, benchmarkIndex: 0, attempt: 1 }))
    await call('DELETE', `/jobs/${id}?hard_delete=true`)
    expect(await codeOf(adapter('POST', `/jobs/${id}/events`, event('running'), token))).toEqual([404, 'resource_not_found'])
  })
})

describe('without a run token', () => {
  test('a reporter behind the proxy reports for its own tenant, and nobody else', async ({ db, call, submit, tenant }) => {
    const app = await appOn(db, { mode: 'headers', runTokenKey: KEY, reporters: ['reporter'] })
    const id = await submit()
    const post = (of: string, user: string, status: string) =>
      codeOf(callOn(app, { 'X-Tenant': of, 'X-User': user })('POST', `/jobs/${id}/events`, event(status)))
    expect(await post(tenant, 'ann', 'running')).toEqual([403, 'forbidden'])
    expect(await post('another', 'reporter', 'running')).toEqual([404, 'resource_not_found'])
    expect(await post(tenant, 'reporter', 'running')).toEqual([204, undefined])
    // A run that is running takes another way.
    expect(await post('another', 'reporter', 'running')).toEqual([404, 'resource_not_found'])
    expect(await post('another', 'reporter', 'completed')).toEqual([404, 'resource_not_found'])
    expect((await call('GET', `/jobs/${id}`)).body.status.benchmarks[0]).toMatchObject({ status: 'running' })
  })

  test('a hub that has no key takes no run token, and needs none', async ({ call, submit }) => {
    const id = await submit()
    const token = bearer(await makeRunToken(KEY, { evaluationId: id, benchmarkIndex: 0, attempt: 1 }))
    expect(await codeOf(call('POST', `/jobs/${id}/events`, event('running'), token))).toEqual([401, 'unauthorized'])
    expect(await codeOf(call('POST', `/jobs/${id}/events`, event('running'), bearer('whatever')))).toEqual([204, undefined])
  })
})

// Guarantee: gathered or not, an event counts only for the attempt and the tenant that it may speak for.
test('events of several attempts and tenants at once: those of the present attempt count', async ({ db, call, submit, tenant }) => {
  const identity = { mode: 'headers', runTokenKey: KEY, reporters: ['reporter'] } as const
  const [app, adapters] = [await appOn(db, identity), await eventsAppOn(db, identity)]
  const id = await submit()
  await call('POST', `/jobs/${id}/events`, event('running'))
  await db`update evalhub.runs set attempt = 2 where evaluation_id = ${id} and benchmark_index = 0`
  const tokens = await Promise.all(
    [1, 2].map(async (attempt) => bearer(await makeRunToken(KEY, { evaluationId: id, benchmarkIndex: 0, attempt }))),
  )
  const callers = [...tokens, { 'X-Tenant': 'another', 'X-User': 'reporter' }, { 'X-Tenant': tenant, 'X-User': 'reporter' }]
  const expected = [403, 204, 404, 204]
  const answers = await Promise.all(
    Array.from({ length: 80 }, (_, at) =>
      callOn(at % 4 < 2 ? adapters : app, callers[at % 4]!)(
        'POST',
        `/jobs/${id}/events`,
        event('running', { progress: expected[at % 4] === 204 ? 0.25 : 0.75 }),
      ),
    ),
  )
  expect(answers.map(({ status }) => status)).toEqual(answers.map((_, at) => expected[at % 4]))
  expect((await call('GET', `/jobs/${id}`)).body.status.benchmarks[0]).toMatchObject({ progress: 0.25 })
})
