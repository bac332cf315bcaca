import { exportSPKI, SignJWT, UnsecuredJWT } from 'jose'
import { afterEach, describe, expect, test as base, vi } from 'vitest'
import type { OidcSettings } from './identity.ts'
import { identifyByToken } from './oidc.ts'
import { AUDIENCE, newKey, NOW, SECONDS, startIssuer, type IssuerKey, type TestIssuer } from './test-issuer.ts'

const rsa = await newKey('RS256', 'rsa-1')

const test = base
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern what a fixture needs
  .extend('issuer', async ({}, { onCleanup }) => {
    const issuer = await startIssuer()
    onCleanup(() => issuer.close())
    issuer.publish(rsa)
    return issuer
  })
  .extend('ask', async ({ issuer }) => asker(issuer))

function asker(issuer: TestIssuer, more: Partial<OidcSettings> = {}) {
  const settings = { issuer: issuer.url, audience: AUDIENCE, jwksUrl: issuer.jwksUrl, userClaim: 'sub', tenantClaim: 'tenants' }
  const identify = identifyByToken({ ...settings, scopeClaims: ['scope', 'scp'], ...more }, () => NOW)
  return async (token: string, headers: Record<string, string> = {}) =>
    identify(new Headers({ Authorization: `Bearer ${token}`, ...headers }))
}

/** Only the clock that the cache of keys reads; timers go on. */
const moveClock = (seconds: number) => {
  const from = Date.now()
  vi.useFakeTimers({ toFake: ['Date'], now: from + seconds * 1000 })
}
afterEach(() => void vi.useRealTimers())

describe('a token', () => {
  test.for(['RS256', 'PS384', 'ES256', 'ES512', 'EdDSA'])('signed with %s is good', async (alg, { issuer, ask }) => {
    const key = await newKey(alg, 'other')
    issuer.publish(rsa, key)
    expect(await ask(await issuer.sign(key))).toEqual({
      scope: { tenant: 'red', user: 'ann', everyTenant: false },
      permissions: new Set(['read', 'write']),
    })
  })

  const bad: [string, (issuer: TestIssuer) => Promise<string> | string][] = [
    ['that is no token', () => 'xyzzy'],
    ['whose parts are no JSON', () => 'xyzzy.xyzzy.xyzzy'],
    ['that has expired', (issuer) => issuer.sign(rsa, { exp: SECONDS - 31 })],
    ['that never expires', (issuer) => issuer.sign(rsa, { exp: undefined })],
    ['that is not valid yet', (issuer) => issuer.sign(rsa, { nbf: SECONDS + 31 })],
    ['for another audience', (issuer) => issuer.sign(rsa, { aud: 'others' })],
    ['for no audience', (issuer) => issuer.sign(rsa, { aud: undefined })],
    ['of another issuer', (issuer) => issuer.sign(rsa, { iss: 'http://other.example' })],
    ['of no issuer', (issuer) => issuer.sign(rsa, { iss: undefined })],
    ['that is not signed', (issuer) => unsigned(issuer)],
    ['signed with the public key as if it were a secret', async (issuer) => confused(issuer, await exportSPKI(rsa.publicKey))],
    ['signed with the published modulus as if it were a secret', (issuer) => confused(issuer, rsa.jwk.n!)],
    ['signed by a stranger under a known key’s name', async (issuer) => issuer.sign(await newKey('RS256', 'rsa-1'))],
    ['signed by a key that is not published', async (issuer) => issuer.sign(await newKey('RS256', 'unknown'))],
    ['that brings its own key', (issuer) => withOwnKey(issuer)],
    ['without a user', (issuer) => issuer.sign(rsa, { sub: undefined })],
    ['with an empty user', (issuer) => issuer.sign(rsa, { sub: '' })],
    ['without a tenant', (issuer) => issuer.sign(rsa, { tenants: undefined })],
    ['with no tenant in its list', (issuer) => issuer.sign(rsa, { tenants: [] })],
    ['whose tenants are no names', (issuer) => issuer.sign(rsa, { tenants: [1, null, '', 'a\0b', { a: 1 }] })],
  ]
  test.for(bad)('%s is refused, and no word of it is said', async ([, make], { issuer, ask }) => {
    const token = await make(issuer)
    const error = await ask(token).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'HubError', code: 'unauthorized' })
    const message = (error as Error).message
    for (const part of [...token.split('.'), 'ann', 'others', 'other.example']) if (part) expect(message).not.toContain(part)
  })

  test('may be half a minute out of step with our clock', async ({ issuer, ask }) => {
    expect(await ask(await issuer.sign(rsa, { exp: SECONDS - 29, nbf: SECONDS + 29 }))).toMatchObject({ scope: { tenant: 'red' } })
  })

  test('whose payload was changed after signing is refused', async ({ issuer, ask }) => {
    const [head, body, signature] = (await issuer.sign(rsa)).split('.') as [string, string, string]
    const changed = { ...JSON.parse(Buffer.from(body, 'base64url').toString()), tenants: ['blue'] }
    const token = [head, Buffer.from(JSON.stringify(changed)).toString('base64url'), signature].join('.')
    await expect(ask(token)).rejects.toMatchObject({ code: 'unauthorized' })
  })

  test('must be there, in the form that is asked for', async ({ issuer }) => {
    const identify = identifyByToken(settingsOf(issuer), () => NOW)
    for (const headers of [{}, { Authorization: await issuer.sign(rsa) }, { Authorization: 'Basic YTpi' }, { Authorization: 'Bearer ' }]) {
      await expect(identify(new Headers(headers))).rejects.toMatchObject({ code: 'unauthorized' })
    }
  })
})

describe('the issuer’s keys', () => {
  test('are fetched once for many tokens, and again for a token of a new key', async ({ issuer, ask }) => {
    const token = await issuer.sign(rsa)
    await Promise.all(Array.from({ length: 20 }, () => ask(token)))
    expect(issuer.fetched()).toBe(1)

    const next = await newKey('ES256', 'ec-2')
    issuer.publish(rsa, next)
    moveClock(31)
    await Promise.all([ask(await issuer.sign(next)), ask(token)])
    expect(issuer.fetched()).toBe(2)
  })

  test('that were withdrawn are good for ten minutes at most', async ({ issuer, ask }) => {
    const token = await issuer.sign(rsa)
    await ask(token)
    issuer.publish(await newKey('ES256', 'ec-2'))
    moveClock(601)
    await expect(ask(token)).rejects.toMatchObject({ code: 'unauthorized' })
  })

  test('are not fetched for every made-up name of a key', async ({ issuer, ask }) => {
    await ask(await issuer.sign(rsa))
    const strangers = Array.from({ length: 20 }, (_, at) => issuer.sign({ ...rsa, kid: `made-up-${at}` }))
    for (const token of strangers) await expect(ask(await token)).rejects.toMatchObject({ code: 'unauthorized' })
    expect(issuer.fetched()).toBe(1)
  })

  test('are found through the discovery document if their address is not given, once for many tokens', async ({ issuer }) => {
    const { jwksUrl: _, ...settings } = settingsOf(issuer)
    const identify = identifyByToken(settings, () => NOW)
    const headers = new Headers({ Authorization: `Bearer ${await issuer.sign(rsa)}` })
    const callers = await Promise.all(Array.from({ length: 20 }, () => identify(headers)))
    expect(callers[19]).toMatchObject({ scope: { tenant: 'red' } })
    expect(issuer.fetched()).toBe(1)
  })

  test('are not taken from the document of another issuer', async ({ issuer }) => {
    const { jwksUrl: _, ...settings } = settingsOf(issuer)
    // The same server under another name, as a redirected or mistyped issuer would be.
    const identify = identifyByToken({ ...settings, issuer: `${issuer.url}/` }, () => NOW)
    const token = await issuer.sign(rsa, { iss: `${issuer.url}/` })
    await expect(identify(new Headers({ Authorization: `Bearer ${token}` }))).rejects.toMatchObject({ code: 'unavailable' })
    expect(issuer.fetched()).toBe(0)
  })

  // Guarantee: nobody between the issuer and this hub can put keys of his own in their place.
  test('are not fetched from where the document says over plain HTTP, but from this machine', async ({ issuer }) => {
    const { jwksUrl: _, ...settings } = settingsOf(issuer)
    const callerBy = async (jwks_uri: string) => {
      issuer.answerWith(200, JSON.stringify({ issuer: issuer.url, jwks_uri, keys: [rsa.jwk] }))
      return identifyByToken(settings, () => NOW)(new Headers({ Authorization: `Bearer ${await issuer.sign(rsa)}` }))
    }
    expect(await callerBy(issuer.jwksUrl)).toMatchObject({ scope: { tenant: 'red' } })
    expect(issuer.fetched()).toBe(1)
    // The first two lead to this machine, too, but no name says so.
    const { port } = new URL(issuer.url)
    for (const jwksUri of [
      `http://0.0.0.0:${port}/keys`,
      `http://127.1.1.1:${port}/keys`,
      'http://issuer.example/keys',
      'file:///keys',
      '/keys',
    ]) {
      await expect(callerBy(jwksUri)).rejects.toMatchObject({ code: 'unavailable' })
    }
    expect(issuer.fetched()).toBe(1)
  })

  test.for([
    ['answers 500', 500, ''],
    ['answers what is no JSON', 200, '<html>'],
    ['answers what is no key set', 200, '{"keys":7}'],
    ['redirects', 302, ''],
  ] as const)('are missing while the issuer %s: that is nobody’s bad token', async ([, status, body], { issuer, ask }) => {
    const token = await issuer.sign(rsa)
    issuer.answerWith(status, body)
    await expect(ask(token)).rejects.toMatchObject({ code: 'unavailable' })
    const { jwksUrl: _, ...settings } = settingsOf(issuer)
    const discovering = identifyByToken(settings, () => NOW)(new Headers({ Authorization: `Bearer ${token}` }))
    await expect(discovering).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('of an issuer that is away are missing, until it is back', async () => {
    const issuer = await startIssuer()
    const token = await issuer.sign(rsa)
    await issuer.close()
    await expect(asker(issuer)(token)).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('that are known do, while the issuer is away', async ({ onTestFinished }) => {
    const issuer = await startIssuer()
    issuer.publish(rsa)
    const ask = asker(issuer)
    const token = await issuer.sign(rsa)
    await ask(token)
    await issuer.close()
    onTestFinished(() => void vi.useRealTimers())
    expect(await ask(token)).toMatchObject({ scope: { tenant: 'red' } })
    moveClock(31)
    await expect(ask(await issuer.sign(await newKey('RS256', 'rsa-2')))).rejects.toMatchObject({ code: 'unavailable' })
  })
})

const settingsOf = (issuer: TestIssuer): OidcSettings => ({
  issuer: issuer.url,
  audience: AUDIENCE,
  jwksUrl: issuer.jwksUrl,
  userClaim: 'sub',
  tenantClaim: 'tenants',
  scopeClaims: ['scope'],
})

const goodClaims = (issuer: TestIssuer) => ({ iss: issuer.url, aud: AUDIENCE, sub: 'ann', tenants: ['red'], exp: SECONDS + 300 })

const unsigned = (issuer: TestIssuer) => new UnsecuredJWT(goodClaims(issuer)).encode()

const confused = (issuer: TestIssuer, secret: string) =>
  new SignJWT(goodClaims(issuer)).setProtectedHeader({ alg: 'HS256', kid: rsa.kid }).sign(new TextEncoder().encode(secret))

async function withOwnKey(issuer: TestIssuer): Promise<string> {
  const own: IssuerKey = await newKey('RS256', 'own')
  return new SignJWT(goodClaims(issuer)).setProtectedHeader({ alg: 'RS256', jwk: own.jwk }).sign(own.privateKey)
}
