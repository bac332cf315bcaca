import { expect, test } from 'vitest'
import { IdentityConfig } from './identity-config.ts'

const RUN_TOKEN_KEY = 'k'.repeat(32)
const OIDC = { IDENTITY_MODE: 'oidc', RUN_TOKEN_KEY, OIDC_ISSUER: 'https://issuer.example/realm', OIDC_AUDIENCE: 'evalhub' }

test('each mode is read with its own settings', () => {
  expect(IdentityConfig.parse({ IDENTITY_MODE: 'none', OIDC_ISSUER: 'unread' })).toEqual({ mode: 'none' })
  expect(IdentityConfig.parse({ IDENTITY_MODE: 'none', RUN_TOKEN_KEY })).toEqual({ mode: 'none', runTokenKey: RUN_TOKEN_KEY })
  expect(IdentityConfig.parse({ IDENTITY_MODE: 'headers', RUN_TOKEN_KEY, IDENTITY_REPORTERS: ' a:b , c,,' })).toEqual({
    mode: 'headers',
    runTokenKey: RUN_TOKEN_KEY,
    reporters: ['a:b', 'c'],
  })
  expect(IdentityConfig.parse({ ...OIDC, OIDC_DEFAULT_SCOPE: 'write' })).toMatchObject({ oidc: { defaultScope: 'write' } })
  expect(IdentityConfig.parse({ ...OIDC, OIDC_USER_CLAIM: 'email', OIDC_SCOPE_CLAIM: 'roles' })).toEqual({
    mode: 'oidc',
    runTokenKey: RUN_TOKEN_KEY,
    oidc: { issuer: OIDC.OIDC_ISSUER, audience: 'evalhub', userClaim: 'email', tenantClaim: 'tenants', scopeClaims: ['roles'] },
  })
})

test.for([
  ['no mode', { RUN_TOKEN_KEY }, 'IDENTITY_MODE'],
  ['an unknown mode', { IDENTITY_MODE: 'open' }, 'IDENTITY_MODE'],
  ['headers without a key for run tokens', { IDENTITY_MODE: 'headers' }, 'RUN_TOKEN_KEY'],
  ['a key that can be guessed', { IDENTITY_MODE: 'headers', RUN_TOKEN_KEY: 'short' }, 'RUN_TOKEN_KEY'],
  ['no issuer', { ...OIDC, OIDC_ISSUER: undefined }, 'OIDC_ISSUER'],
  ['no audience', { ...OIDC, OIDC_AUDIENCE: '' }, 'OIDC_AUDIENCE'],
  ['an issuer over plain HTTP', { ...OIDC, OIDC_ISSUER: 'http://issuer.example' }, 'OIDC_ISSUER'],
  ['one that only looks like this machine', { ...OIDC, OIDC_JWKS_URL: 'http://localhost@issuer.example' }, 'OIDC_JWKS_URL'],
  ['an issuer that is no URL', { ...OIDC, OIDC_ISSUER: 'nonsense' }, 'OIDC_ISSUER'],
  ['a scope for everybody that reports for runs', { ...OIDC, OIDC_DEFAULT_SCOPE: 'admin' }, 'OIDC_DEFAULT_SCOPE'],
  ['keys in a file', { ...OIDC, OIDC_JWKS_URL: 'file:///keys' }, 'OIDC_JWKS_URL'],
] as const)('%s is refused by name, in words for an operator', ([, env, name]) => {
  const { error } = IdentityConfig.safeParse(env)
  expect(error?.issues.map(({ path }) => path.join('.'))).toEqual([name])
  expect(error?.issues[0]?.message).toMatch(/^(is|must) /)
})

test('an issuer on this machine may speak plain HTTP', () => {
  expect(IdentityConfig.safeParse({ ...OIDC, OIDC_ISSUER: 'http://127.0.0.1:9000' }).success).toBe(true)
  expect(IdentityConfig.safeParse({ ...OIDC, OIDC_ISSUER: 'http://[::1]:9000' }).success).toBe(true)
})
