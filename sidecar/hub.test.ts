import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import { eventsAppOn, event, JOB, test as base } from '#functions/test-app.ts'
import { listen } from '#local/listen.ts'
import { createLog } from '#shared/log.ts'
import { makeRunToken } from '#shared/run-token.ts'
import { startSidecar } from './sidecar.ts'
import { LIMITS, requestOf } from './test-sidecar.ts'

const KEY = 'the key of run tokens in these tests'

/** `report(body)` posts through a sidecar to the port for events of a hub behind a proxy, on the real database. */
const test = base
  .extend(
    'id',
    async ({ call }) =>
      (await call('POST', '/jobs', { ...JOB, benchmarks: undefined, collection: { id: 'pair-v1' } })).body.resource.id as string,
  )
  .extend('report', async ({ db, id, tenant }, { onCleanup }) => {
    const { fetch } = await eventsAppOn(db, { mode: 'headers', runTokenKey: KEY, reporters: [] })
    const hub = await listen(fetch, { host: '127.0.0.1', port: 0 })
    const folder = await mkdtemp(join(tmpdir(), 'evalhub-sidecar-'))
    await writeFile(join(folder, 'token'), await makeRunToken(KEY, { evaluationId: id, benchmarkIndex: 1, attempt: 1 }))
    const sidecar = await startSidecar(
      {
        port: 0,
        run: { evaluationId: id, providerId: 'frame', benchmarkId: 'second', benchmarkIndex: 1 },
        tenant,
        runTokenPath: join(folder, 'token'),
        hub: { url: new URL(`http://127.0.0.1:${hub.port}`) },
        spoolPath: join(folder, 'spool'),
        limits: LIMITS,
      },
      { log: createLog({ write: () => undefined, now: () => new Date() }), write: () => undefined, random: () => 0 },
    )
    onCleanup(async () => {
      sidecar.close()
      await hub.close()
      await rm(folder, { recursive: true })
    })
    const url = new URL(`http://127.0.0.1:${sidecar.port}`)
    return (body: object | string) =>
      requestOf(url, `/api/v1/evaluations/jobs/${id}/events`, { body: typeof body === 'string' ? body : JSON.stringify(body) })
  })

test('the API takes what a sidecar relays, for its run only', async ({ call, id, report }) => {
  const runOf = async () => (await call('GET', `/jobs/${id}`)).body
  expect((await report(event('running', { progress: 0.25 }, 'second', 1))).status).toBe(204)
  await vi.waitFor(async () => expect((await runOf()).status.benchmarks[1]).toMatchObject({ status: 'running', progress: 0.25 }))
  expect((await report(event('completed', {}, 'first', 0))).status).toBe(403)
  expect((await report(event('completed', { metrics: { loss: 0.3 }, additional_info: { own: 1 } }, 'second', 1))).status).toBe(204)
  await vi.waitFor(async () => expect((await runOf()).status.benchmarks[1].status).toBe('completed'))
  const { results, status } = await runOf()
  expect(status.benchmarks[0].status).toBe('pending')
  expect(results.benchmarks[0]).toMatchObject({ metrics: { loss: 0.3 }, additional_info: { own: 1, model_usage: { requests: 0 } } })
})

test('once the job is cancelled the adapter is told', async ({ call, id, report }) => {
  await call('DELETE', `/jobs/${id}`)
  expect((await report(event('running', {}, 'second', 1))).status).toBe(204)
  await vi.waitFor(async () => expect((await report(event('running', {}, 'second', 1))).status).toBe(409))
})

test('a result that the API cannot read leaves a failure with its words', async ({ call, db, id, report }) => {
  expect((await report(event('completed', { metrics: [1] }, 'second', 1))).status).toBe(204)
  const words = async () =>
    JSON.stringify(await db`select * from evalhub.attempts where evaluation_id = ${id}`) +
    JSON.stringify((await call('GET', `/jobs/${id}`)).body)
  await vi.waitFor(async () => expect(await words()).toContain('The hub did not take the result'))
})

// Guarantee: what the sidecar counted is what the results say, however an adapter spells its own claim.
test.for([
  [
    'a second spelling of the status',
    '"sta_tus":"completed","status":"running"',
    '"additional_info":{"own":1,"model_usage":{"requests":-1}}',
  ],
  [
    'the status in the second spelling',
    '"status":"running","sta_tus":"completed"',
    '"additional_info":{"own":1,"model_usage":{"requests":-1}}',
  ],
  ['capitals', '"status":"completed"', '"additional_info":{"own":1,"MODEL_USAGE":{}}'],
  ['two spellings', '"status":"completed"', '"additional_info":{"model_usage":{},"own":1,"Model-Usage":{},"modelUsage":{}}'],
  [
    'letters of another width',
    '"status":"completed"',
    '"additional_info":{"own":1,"ｍｏｄｅｌ＿ｕｓａｇｅ":{},"model\\u005fu\\u017fage":{}}',
  ],
  ['a second object', '"status":"completed"', '"additional_info":{"own":1},"Additional_Info":{"own":1,"model_usage":{"requests":-1}}'],
] as const)('usage cannot be forged by %s', async ([, status, info], { call, id, report }) => {
  const said = `{"benchmark_status_event":{"provider_id":"frame","id":"second","benchmark_index":1,${status},"metrics":{"loss":0.3},${info}}}`
  expect((await report(said)).status).toBe(204)
  const runOf = async () => (await call('GET', `/jobs/${id}`)).body
  await vi.waitFor(async () => expect((await runOf()).status.benchmarks[1].status).not.toBe('pending'))
  // A running one is taken for that by both.
  if ((await runOf()).status.benchmarks[1].status === 'running') return
  const { additional_info: kept } = (await runOf()).results.benchmarks[0]
  expect(kept).toEqual({ own: 1, model_usage: expect.objectContaining({ requests: 0, input_tokens: 0 }) })
})
