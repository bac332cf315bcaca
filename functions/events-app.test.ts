import { describe, expect } from 'vitest'
import { makeRunToken } from '#shared/run-token.ts'
import { AUDIENCE, newKey, startIssuer } from './identity/test-issuer.ts'
import { appOn, callOn, event, eventsAppOn, JOB, test as base } from './test-app.ts'
import { requestOf, isEvents, TENANT_ROUTES } from './test-routes.ts'

const KEY = 'the key of run tokens in these tests'
const REPORTER = { 'X-Tenant': 'red', 'X-User': 'reporter' }

/** The port for run tokens of a hub that believes headers, and lets that user report on its other port. */
const test = base
  .extend('app', { scope: 'file' }, async ({ db }) => eventsAppOn(db, { mode: 'headers', runTokenKey: KEY, reporters: ['reporter'] }))
  .extend('hub', { scope: 'file' }, async ({ db }) => appOn(db, { mode: 'none' }))
  .extend('id', async ({ hub, tenant }) => {
    const { body } = await callOn(hub, { 'X-Tenant': tenant })('POST', '/jobs', JOB)
    return body.resource.id as string
  })
  .extend('token', async ({ id }) => ({
    Authorization: `Bearer ${await makeRunToken(KEY, { evaluationId: id, benchmarkIndex: 0, attempt: 1 })}`,
  }))

describe('the port for events', () => {
  test('takes what a run token speaks for, whoever the headers say that it is', async ({ app, id, token }) => {
    const headers = { ...token, 'X-Tenant': 'somebody-else', 'X-User': 'system' }
    expect(await callOn(app, headers)('POST', `/jobs/${id}/events`, event('running'))).toMatchObject({ status: 204 })
  })

  test('takes no event that a sidecar passed on as a request to a model', async ({ app, id, token }) => {
    const headers = { ...token, Via: '1.1 evalhub-sidecar' }
    expect(await callOn(app, headers)('POST', `/jobs/${id}/events`, event('running'))).toMatchObject({ status: 403 })
  })

  test.for(TENANT_ROUTES.filter(({ route }) => !isEvents(route)))('has no $name', async ({ route }, { app, id, token }) => {
    const { method, path, body } = requestOf(route, { jobs: id })
    for (const headers of [{}, token, REPORTER, { ...REPORTER, ...token }]) {
      expect(await callOn(app, headers)(method, path, body)).toMatchObject({ status: 404, text: '404 page not found\n' })
    }
  })

  test.for(['/docs', '/openapi.json', '/readyz', '/metrics', '/api/v1/health', '/', '//healthz', '/healthz/', '/healthz/..'])(
    'has no %s',
    async (path, { app }) => {
      expect((await app.request(`http://hub${path}`)).status).toBe(404)
    },
  )

  test('believes no header: without a run token nobody reports, be it a user that may elsewhere', async ({ app, id }) => {
    for (const headers of [
      {},
      REPORTER,
      { ...REPORTER, Authorization: 'Basic YW5uOmFubg==' },
      { Authorization: 'Bearer evalhub-run.0.1.' },
    ]) {
      const answer = await callOn(app, headers)('POST', `/jobs/${id}/events`, event('running'))
      expect(answer).toMatchObject({ status: 401, body: { message_code: 'unauthorized' } })
    }
  })

  test('knows no token of the issuer, however much it may do elsewhere', async ({ db, id }) => {
    const issuer = await startIssuer()
    const key = await newKey('ES256', 'ec')
    issuer.publish(key)
    const oidc = { issuer: issuer.url, audience: AUDIENCE, userClaim: 'sub', tenantClaim: 'tenants', scopeClaims: ['scope'] }
    const app = await eventsAppOn(db, { mode: 'oidc', runTokenKey: KEY, oidc })
    const headers = { Authorization: `Bearer ${await issuer.sign(key, { scope: 'admin' })}` }
    const answer = await callOn(app, headers)('POST', `/jobs/${id}/events`, event('running'))
    await issuer.close()
    expect(answer).toMatchObject({ status: 401, body: { message_code: 'unauthorized' } })
    expect(issuer.fetched()).toBe(0)
  })

  test('takes one method, and says so to who has a run token only', async ({ app, id, token }) => {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']) {
      expect((await callOn(app, token)(method, `/jobs/${id}/events`)).status).toBe(405)
      expect((await callOn(app, REPORTER)(method, `/jobs/${id}/events`)).status).toBe(401)
    }
    expect((await app.request('http://hub/healthz')).status).toBe(200)
    expect((await app.request('http://hub/healthz', { method: 'POST' })).status).toBe(405)
  })
})
