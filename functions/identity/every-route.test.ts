import { describe, expect } from 'vitest'
import { appOn, callOn, JOB, test as base, type Call } from '../test-app.ts'
import { isEvents, requestOf, TENANT_ROUTES, type Things } from '../test-routes.ts'
import { AUDIENCE, newKey, startIssuer } from './test-issuer.ts'

const RUN_TOKEN_KEY = 'the key of run tokens in these tests'
const key = await newKey('ES256', 'ec')

const test = base
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern what a fixture needs
  .extend('issuer', { scope: 'file' }, async ({}, { onCleanup }) => {
    const issuer = await startIssuer()
    onCleanup(() => issuer.close())
    issuer.publish(key)
    return issuer
  })
  .extend('byHeaders', { scope: 'file' }, async ({ db }) =>
    appOn(db, { mode: 'headers', runTokenKey: RUN_TOKEN_KEY, reporters: ['reporter'] }),
  )
  .extend('byToken', { scope: 'file' }, async ({ db, issuer }) => {
    const oidc = { issuer: issuer.url, audience: AUDIENCE, userClaim: 'sub', tenantClaim: 'tenants', scopeClaims: ['scope'] }
    return appOn(db, { mode: 'oidc', runTokenKey: RUN_TOKEN_KEY, oidc })
  })
  /** `as({ tenants, scope })` is a caller with a good token that says so. */
  .extend('as', async ({ issuer, byToken, tenant }) => async (claims: object = {}, headers: Record<string, string> = {}) => {
    const token = await issuer.sign(key, { tenants: [tenant], ...claims })
    return callOn(byToken, { Authorization: `Bearer ${token}`, ...headers })
  })

/** One of each, created by `call`. */
async function createThings(call: Call): Promise<Things> {
  const create = async (path: string, body: unknown) => (await call('POST', path, body)).body.resource.id as string
  const collection = { name: 'secret', category: 'secret', benchmarks: [{ id: 'first', provider_id: 'frame' }] }
  return {
    jobs: await create('/jobs', { ...JOB, name: 'secret' }),
    providers: await create('/providers', { name: 'secret', benchmarks: [{ id: 'secret', name: 'secret' }] }),
    collections: await create('/collections', collection),
  }
}

const ask = (call: Call, { method, path, body }: ReturnType<typeof requestOf>) => call(method, path, body)

test('the table has every route of the app, and the others are open on purpose', ({ app }) => {
  const registered = app.routes.filter(({ method }) => method !== 'ALL').map(({ method, path }) => `${method} ${path}`)
  const open = [
    'GET /',
    'GET /welcome.css',
    'GET /api/v1/health',
    'GET /healthz',
    'GET /readyz',
    'GET /openapi.yaml',
    'GET /openapi.json',
    'GET /docs',
    'GET /docs/:file',
  ]
  expect([...new Set(registered)].sort()).toEqual([...TENANT_ROUTES.map(({ name }) => name), ...open].sort())
})

describe.for(TENANT_ROUTES)('$name', ({ route }) => {
  test('behind a proxy needs a tenant, then a user, neither of them reserved', async ({ byHeaders }) => {
    const answerTo = async (headers: Record<string, string>) => {
      const { status, body } = await ask(callOn(byHeaders, headers), requestOf(route, {}))
      return [status, body.message_code]
    }
    expect(await answerTo({})).toEqual([400, 'missing_tenant_header'])
    expect(await answerTo({ 'X-User': 'ann' })).toEqual([400, 'missing_tenant_header'])
    expect(await answerTo({ 'X-Tenant': '', 'X-User': 'ann' })).toEqual([400, 'missing_tenant_header'])
    expect(await answerTo({ 'X-Tenant': 'red' })).toEqual([400, 'missing_user_header'])
    expect(await answerTo({ 'X-Tenant': 'red', 'X-User': '' })).toEqual([400, 'missing_user_header'])
    expect(await answerTo({ 'X-Tenant': 'red', 'X-User': 'system' })).toEqual([403, 'forbidden'])
    expect(await answerTo({ 'X-Tenant': 'System', 'X-User': 'ann' })).toEqual([403, 'forbidden'])
  })

  test('with tokens needs a good one, and says so', async ({ byToken, issuer }) => {
    const stranger = await issuer.sign(await newKey('ES256', 'ec'))
    for (const Authorization of ['', 'Bearer', 'Bearer abc', `Bearer ${stranger}`, 'Basic YW5uOmFubg==']) {
      const headers = { 'X-Tenant': 'red', 'X-User': 'ann', ...(Authorization && { Authorization }) }
      const answer = await ask(callOn(byToken, headers), requestOf(route, {}))
      expect(answer).toMatchObject({ status: 401, body: { message_code: 'unauthorized' } })
      expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    }
  })

  test('with tokens is for the token’s tenants only, whatever headers say', async ({ as }) => {
    const request = requestOf(route, {})
    expect(await ask(await as({ tenants: ['red'], scope: 'admin' }, { 'X-Tenant': 'blue' }), request)).toMatchObject({ status: 403 })
    const undecided = await ask(await as({ tenants: ['red', 'blue'], scope: 'admin' }), request)
    expect(undecided).toMatchObject({ status: 400, body: { message_code: 'missing_tenant_header' } })
  })

  test('with a token that may only read is read, and never written', async ({ as }) => {
    const things = await createThings(await as({ scope: 'write' }))
    const isWrite = route.method !== 'get' && !route.isReading
    const answer = await ask(await as({ scope: 'read' }), requestOf(route, things))
    expect(answer.status).toBe(isWrite ? 403 : 200)
    if (isWrite) expect(answer.body.message_code).toBe('forbidden')
    expect(await ask(await as({ scope: 'openid' }), requestOf(route, things))).toMatchObject({ status: 403 })
    const written = await ask(await as({ scope: isEvents(route) ? 'admin' : 'write' }), requestOf(route, things))
    expect(written.status).toBe(route.success.status)
  })

  test('shows nothing of another tenant’s, and changes nothing of it', async ({ as }) => {
    const mine = await as({ scope: 'admin' })
    const things = await createThings(mine)
    const before = await everything(mine, things)
    const theirs = await as({ scope: 'admin', tenants: ['another'], sub: 'bob' })

    const answer = await ask(theirs, requestOf(route, things))
    expect(answer.text).not.toContain('secret')
    if (route.path.includes(':id')) expect(answer).toMatchObject({ status: 404, body: { message_code: 'resource_not_found' } })
    else if (route.body === 'JobIds') expect(answer.body).toEqual({ items: [], not_found: [things.jobs] })
    else for (const id of Object.values(things)) expect(answer.text).not.toContain(id)
    expect(await everything(mine, things)).toEqual(before)
  })

  test('asks who it is before it judges the method', async ({ byHeaders }) => {
    const { path } = requestOf(route, {})
    for (const method of ['HEAD', 'OPTIONS', 'PROPFIND']) {
      expect((await callOn(byHeaders, {})(method, path)).status).toBe(400)
      expect((await callOn(byHeaders, { 'X-Tenant': 'red', 'X-User': 'reporter' })(method, path)).status).toBe(405)
    }
  })

  test('is for other machines where there are identities, and never for pages of others', async ({ byHeaders }) => {
    const headers = { 'X-Tenant': 'red', 'X-User': 'reporter', Host: 'hub.example', Origin: 'https://pages.example' }
    const answer = await ask(callOn(byHeaders, headers), requestOf(route, {}))
    expect(answer.status).not.toBe(403)
    expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
  })
})

/** All that a tenant can read of its things. */
const everything = async (call: Call, { jobs, providers, collections }: Things) =>
  Promise.all(
    [`/jobs/${jobs}`, `/providers/${providers}`, `/collections/${collections}`, '/jobs', '/providers?scope=tenant', '/collections'].map(
      async (path) => (await call('GET', path)).text,
    ),
  )

test('what is open needs nobody', async ({ byHeaders, byToken }) => {
  for (const app of [byHeaders, byToken]) {
    for (const path of ['//api/v1/health', '//openapi.json', '//docs']) expect((await callOn(app, {})('GET', path)).status).toBe(200)
    expect((await callOn(app, {})('GET', '//nowhere')).status).toBe(404)
    expect((await callOn(app, {})('GET', '/jobs/')).status).toBe(404)
  }
})

test('an issuer that is away makes no token bad', async ({ db }) => {
  const issuer = await startIssuer()
  const token = await issuer.sign(key)
  await issuer.close()
  const oidc = { issuer: issuer.url, audience: AUDIENCE, userClaim: 'sub', tenantClaim: 'tenants', scopeClaims: ['scope'] }
  const app = await appOn(db, { mode: 'oidc', runTokenKey: RUN_TOKEN_KEY, oidc })
  const answer = await callOn(app, { Authorization: `Bearer ${token}` })('GET', '/jobs')
  expect(answer).toMatchObject({ status: 503, body: { message_code: 'unavailable' } })
  expect(answer.headers.get('retry-after')).toBe('2')
})
