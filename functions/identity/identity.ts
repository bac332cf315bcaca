import type { Scope } from '#db/scope.ts'
import { HubError } from '#shared/errors.ts'

/** How the hub knows who asks. */
export type Identity =
  /** Whoever reaches the hub may do everything; it answers on its own machine only. A run token that is sent is checked if there is a key. */
  | { mode: 'none'; runTokenKey?: string }
  /**
   * A proxy in front has authenticated the caller and says who it is in `X-Tenant` and `X-User`. Every request must bring `proxySecret`, if there is
   * one, in `X-Proxy-Secret`; else the connection alone says that the proxy has made it.
   */
  | { mode: 'headers'; runTokenKey: string; reporters: readonly string[]; proxySecret?: string }
  /** Callers bring a token that an OpenID Connect issuer has signed. */
  | { mode: 'oidc'; runTokenKey: string; oidc: OidcSettings }

export type OidcSettings = {
  /** The token's `iss`, exactly. */
  issuer: string
  /** One of the token's `aud`. */
  audience: string
  /** Where the issuer's keys are; without it, where the issuer's discovery document says. */
  jwksUrl?: string
  /** The claim that names the user. Of this and the next ones, a name that begins with `/` is a path (`callerOfClaims`). */
  userClaim: string
  /** The claim that names the user's tenants: a list, or one name. */
  tenantClaim: string
  /** The claim with the scopes: a list, or names with spaces between them. */
  scopeClaims: readonly string[]
  /** The scope of a token that has none of these claims: for issuers that know no scopes. Unset: it has none. */
  defaultScope?: 'read' | 'write'
}

/** What a caller may do: read and write for its tenant, and report for its tenant's runs without a run token. */
export type Permission = 'read' | 'write' | 'report'

/** Who asks, and what it may do. */
export type Caller = { scope: Scope; permissions: ReadonlySet<Permission> }

/** Finds out who asks. Refuses by throwing. */
export type Identify = (headers: Headers) => Caller | Promise<Caller>

/** Names that stand for the hub itself: nobody may come under one, as user or as tenant. */
const RESERVED = new Set(['system'])

/** In UTF-8, as indexes of the database have it: above the 63 of a namespace, and above what Kubernetes and issuers call their users. */
const [MAX_TENANT_BYTES, MAX_USER_BYTES] = [253, 1024]

/** Refuses with `request_validation_failed` a caller of more than 253 bytes for its tenant, or 1024 for its name. */
export function refuseLong({ scope: { tenant, user } }: Caller): void {
  for (const [what, name, max] of [
    ['tenant (X-Tenant)', tenant, MAX_TENANT_BYTES],
    ['user (X-User)', user, MAX_USER_BYTES],
  ] as const) {
    if (3 * name.length <= max || new TextEncoder().encode(name).length <= max) continue
    throw HubError.of('request_validation_failed', { Error: `the ${what} must have at most ${max} bytes` })
  }
}

/** The caller of a hub with identities. Refuses reserved names with `forbidden`. */
export function callerOf(tenant: string, user: string, permissions: Iterable<Permission>): Caller {
  for (const name of [tenant, user]) {
    if (RESERVED.has(name.toLowerCase())) throw HubError.of('forbidden', { Error: `The identity '${name}' is reserved.` })
  }
  return { scope: { tenant, user, everyTenant: false }, permissions: new Set(permissions) }
}

/**
 * What a header says of who asks. Undefined without it, or if it is empty. One that is sent twice, or holds a comma, is refused: who has judged the
 * request before us may have read another of its values.
 */
export function identityHeader(headers: Headers, name: 'X-Tenant' | 'X-User'): string | undefined {
  const value = headers.get(name) ?? ''
  if (value.includes(',')) throw HubError.of('request_validation_failed', { Error: `${name} must be sent once, and hold no comma` })
  return value === '' ? undefined : value
}
