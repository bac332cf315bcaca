import { isPlainObject } from '#shared/decode.ts'
import { HubError } from '#shared/errors.ts'
import { callerOf, type Caller, type OidcSettings, type Permission } from './identity.ts'

export type Claims = Readonly<Record<string, unknown>>

/** Each scope with what it allows; `admin` is the one that may report for any run of its tenant. */
const PERMISSIONS: Readonly<Record<string, readonly Permission[]>> = {
  read: ['read'],
  write: ['read', 'write'],
  admin: ['read', 'write', 'report'],
}

/**
 * The caller that a token's claims make, for the tenant that is `wanted` (the header `X-Tenant`; none means the only one).
 *
 * Refuses claims without a user or a tenant (`unauthorized`), a tenant that is not the token's (`forbidden`), and a choice that must be
 * made and was not (`missing_tenant_header`).
 */
export function callerOfClaims(claims: Claims, wanted: string | undefined, settings: OidcSettings): Caller {
  const [user] = namesIn(claimOf(claims, settings.userClaim))
  if (user === undefined) throw HubError.of('unauthorized', { Error: `The token has no '${settings.userClaim}'.` })
  const tenants = namesIn(claimOf(claims, settings.tenantClaim))
  const given = settings.scopeClaims.map((name) => claimOf(claims, name)).filter((claim) => claim !== undefined)
  const scopes = (given.length > 0 ? given : [settings.defaultScope]).flatMap((claim) => namesIn(claim).flatMap((text) => text.split(' ')))
  return callerOf(
    chosen(tenants, wanted, settings.tenantClaim),
    user,
    scopes.flatMap((scope) => (Object.hasOwn(PERMISSIONS, scope) ? (PERMISSIONS[scope] ?? []) : [])),
  )
}

/** A claim by its name. A name that begins with `/` leads to a claim inside of others, as a JSON pointer does (RFC 6901). */
function claimOf(claims: Claims, name: string): unknown {
  const steps = name.startsWith('/') ? name.slice(1).split('/') : undefined
  const names = steps?.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~')) ?? [name]
  return names.reduce<unknown>((inner, key) => (isPlainObject(inner) && Object.hasOwn(inner, key) ? inner[key] : undefined), claims)
}

function chosen(tenants: readonly string[], wanted: string | undefined, claim: string): string {
  const [only, ...others] = tenants
  if (only === undefined) throw HubError.of('unauthorized', { Error: `The token has no '${claim}'.` })
  if (wanted !== undefined && wanted !== '') {
    if (!tenants.includes(wanted)) throw HubError.of('forbidden', { Error: `The token is not for the tenant '${wanted}'.` })
    return wanted
  }
  if (others.length > 0) throw HubError.of('missing_tenant_header', { Header: 'X-Tenant' })
  return only
}

/** The names in a claim that is a text or a list of texts; what the database could not hold as a name is none. */
const namesIn = (claim: unknown): string[] =>
  (Array.isArray(claim) ? claim : [claim]).filter(
    (name): name is string => typeof name === 'string' && name !== '' && name.isWellFormed() && !/\p{Cc}/u.test(name),
  )
