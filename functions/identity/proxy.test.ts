import { describe, expect } from 'vitest'
import { makeRunToken } from '#shared/run-token.ts'
import { appOn, callOn, event, JOB, test as base } from '../test-app.ts'
import { requestOf, TENANT_ROUTES } from '../test-routes.ts'

const KEY = 'the key of run tokens in these tests'
const SECRET = 'what-only-the-proxy-of-this-test-knows'
const ANN = { 'X-Tenant': 'red', 'X-User': 'ann' }

const test = base
  .extend('proxied', { scope: 'file' }, async ({ db }) =>
    appOn(db, { mode: 'headers', runTokenKey: KEY, reporters: ['reporter'], proxySecret: SECRET }),
  )
  .extend('hub', { scope: 'file' }, async ({ db }) => appOn(db, { mode: 'headers', runTokenKey: KEY, reporters: ['reporter'] }))

const PATHS = [
  ...TENANT_ROUTES.map(({ route }) => requestOf(route, {})),
  ...['//healthz', '//readyz', '//api/v1/health', '//docs', '//openapi.json', '//nowhere', '//a//..'].map((path) => ({
    method: 'GET',
    path,
    body: undefined,
  })),
]

describe('a hub whose proxy has a secret', () => {
  test.for(PATHS)('answers nothing to who does not bring it: $method $path', async ({ method, path, body }, { proxied }) => {
    const wrong = [SECRET.slice(1), `${SECRET}x`, SECRET.toUpperCase(), `${SECRET}, ${SECRET}`, `${SECRET.slice(0, -1)}x`]
    for (const headers of [{}, ...wrong.map((given) => ({ 'X-Proxy-Secret': given }))]) {
      const answer = await callOn(proxied, { ...ANN, ...headers })(method, path, body)
      expect(answer).toMatchObject({ status: 401, body: { message_code: 'unauthorized' } })
      expect(answer.text).not.toContain(SECRET.slice(1, -1))
    }
  })

  test('believes its proxy', async ({ proxied }) => {
    const call = callOn(proxied, { ...ANN, 'X-Proxy-Secret': SECRET })
    expect(await call('POST', '/jobs', JOB)).toMatchObject({ status: 202, body: { resource: { tenant: 'red', owner: 'ann' } } })
    expect(await call('GET', '//docs')).toMatchObject({ status: 200 })
  })
})

describe('behind a proxy', () => {
  // Guarantee: whoever may reach the port for adapters needs no way to the one that believes headers.
  test('no run token is taken, and the answer says where they are', async ({ hub }) => {
    const { body } = await callOn(hub, ANN)('POST', '/jobs', JOB)
    const { id } = body.resource
    const token = await makeRunToken(KEY, { evaluationId: id, benchmarkIndex: 0, attempt: 1 })
    for (const headers of [{}, ANN, { ...ANN, 'X-User': 'reporter' }]) {
      const call = callOn(hub, { ...headers, Authorization: `Bearer ${token}` })
      const answer = await call('POST', `/jobs/${id}/events`, event('running'))
      expect(answer).toMatchObject({ status: 401, body: { message_code: 'unauthorized', message: expect.stringContaining('EVENTS_PORT') } })
    }
    expect((await callOn(hub, ANN)('GET', `/jobs/${id}`)).body.status.state).toBe('pending')
  })

  // Guarantee: a proxy and the hub never read different callers out of one request.
  test.for(TENANT_ROUTES)('a caller with two names is refused: $name', async ({ route }, { hub, app }) => {
    const { method, path, body } = requestOf(route, {})
    const send = async (to: typeof hub, pairs: [string, string][]) => {
      const init = { method, headers: new Headers(pairs), ...(body !== undefined && { body: JSON.stringify(body) }) }
      const answer = await to.request(`http://localhost/api/v1/evaluations${path}`, init)
      return [answer.status, ((await answer.json()) as { message_code?: string }).message_code]
    }
    for (const to of [hub, app]) {
      for (const pairs of [
        [
          ['X-Tenant', 'red'],
          ['X-Tenant', 'blue'],
          ['X-User', 'reporter'],
        ],
        [
          ['X-Tenant', 'red'],
          ['X-User', 'reporter'],
          ['X-User', 'ann'],
        ],
        [
          ['X-Tenant', ''],
          ['X-Tenant', 'blue'],
          ['X-User', 'reporter'],
        ],
        [
          ['X-Tenant', 'red, blue'],
          ['X-User', 'reporter'],
        ],
        [
          ['X-Tenant', 'red'],
          ['X-User', 'reporter,ann'],
        ],
      ] as [string, string][][]) {
        expect(await send(to, pairs)).toEqual([400, 'request_validation_failed'])
      }
    }
  })
})
