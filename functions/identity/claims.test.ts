import { describe, expect, test } from 'vitest'
import { callerOfClaims } from './claims.ts'

const SETTINGS = { issuer: '', audience: '', userClaim: 'email', tenantClaim: 'https://example.com/teams', scopeClaims: ['scope', 'scp'] }
const claims = (tenants: unknown, more: object = {}) => ({ email: 'ann', 'https://example.com/teams': tenants, scope: 'read', ...more })

describe('the tenant', () => {
  test.for([
    ['the only one of a list', ['red'], undefined, 'red'],
    ['the one of a text', 'red', undefined, 'red'],
    ['the only one, also with an empty header', ['red'], '', 'red'],
    ['the one that is chosen', ['red', 'blue'], 'blue', 'blue'],
    ['the only one that is a name', ['', 3, 'red'], undefined, 'red'],
  ] as const)('is %s', ([, tenants, wanted, tenant]) => {
    expect(callerOfClaims(claims(tenants), wanted, SETTINGS).scope).toEqual({ tenant, user: 'ann', everyTenant: false })
  })

  test.for([
    ['is chosen where there are several', ['red', 'blue'], undefined, 'missing_tenant_header'],
    ['is one of the token’s', ['red'], 'blue', 'forbidden'],
    ['is spelt as in the token', ['red'], 'Red', 'forbidden'],
    ['is one name, not a list of them', ['red', 'blue'], 'red, blue', 'forbidden'],
    ['is none of the reserved', ['system'], undefined, 'forbidden'],
    ['is none of the reserved, in any case', ['System'], undefined, 'forbidden'],
  ] as const)('%s, else refused', ([, tenants, wanted, code]) => {
    expect(() => callerOfClaims(claims(tenants), wanted, SETTINGS)).toThrow(expect.objectContaining({ code }))
  })

  test('is not refused to a reserved user only', () => {
    expect(() => callerOfClaims(claims('red', { email: 'system' }), undefined, SETTINGS)).toThrow(/reserved/)
  })
})

describe('a claim whose name begins with a slash', () => {
  const nested = { 'kubernetes.io': { namespace: 'red', serviceaccount: { name: 'ann' }, 'a/b~c': 'red' }, email: 'eve', scope: 'read' }
  const callerOf = (tenantClaim: string, more: object = {}) =>
    callerOfClaims({ ...nested, ...more }, undefined, { ...SETTINGS, userClaim: '/kubernetes.io/serviceaccount/name', tenantClaim })

  test('is found inside of others', () => {
    expect(callerOf('/kubernetes.io/namespace').scope).toMatchObject({ tenant: 'red', user: 'ann' })
    expect(callerOf('/kubernetes.io/a~1b~0c').scope).toMatchObject({ tenant: 'red' })
  })

  test.for(['/kubernetes.io', '/kubernetes.io/namespace/0', '/kubernetes.io/constructor/name', '/__proto__', '/', '/nothing/namespace'])(
    '%s is none if it leads to no name',
    (tenantClaim) => {
      expect(() => callerOf(tenantClaim)).toThrow(expect.objectContaining({ code: 'unauthorized' }))
    },
  )

  test('is not the one of that very name', () => {
    const claim = '/kubernetes.io/tenant'
    expect(() => callerOf(claim, { [claim]: 'blue' })).toThrow(expect.objectContaining({ code: 'unauthorized' }))
  })
})

describe('scopes', () => {
  test('of a token that has none are those of the setting, and nothing takes them for more', () => {
    const permissionsOf = (more: object, defaultScope?: 'read' | 'write') =>
      callerOfClaims(claims('red', more), undefined, { ...SETTINGS, ...(defaultScope && { defaultScope }) }).permissions
    const none = { scope: undefined }
    expect(permissionsOf(none)).toEqual(new Set())
    expect(permissionsOf(none, 'read')).toEqual(new Set(['read']))
    expect(permissionsOf(none, 'write')).toEqual(new Set(['read', 'write']))
    for (const scope of ['', 'openid', [], null, 7]) expect(permissionsOf({ scope }, 'write')).toEqual(new Set())
    expect(permissionsOf({ scope: undefined, scp: 'read' }, 'write')).toEqual(new Set(['read']))
  })

  test.for([
    ['read', ['read']],
    ['write', ['read', 'write']],
    ['admin', ['read', 'write', 'report']],
    ['openid profile read', ['read']],
    ['reader writes administrator', []],
    ['READ', []],
    ['constructor __proto__', []],
    ['', []],
    [undefined, []],
    [
      ['openid', 'write'],
      ['read', 'write'],
    ],
    [{ read: true }, []],
  ] as const)('%j allow %j', ([scope, permissions]) => {
    expect(callerOfClaims(claims('red', { scope }), undefined, SETTINGS).permissions).toEqual(new Set(permissions))
    expect(callerOfClaims(claims('red', { scope: undefined, scp: scope }), undefined, SETTINGS).permissions).toEqual(new Set(permissions))
  })
})
