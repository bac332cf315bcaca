import { HubError } from '#shared/errors.ts'
import { callerOf, identityHeader, refuseLong, type Caller, type Identify, type Identity } from './identity.ts'
import { identifyByToken } from './oidc.ts'

/** How a hub of this identity finds out who asks. Refuses a name that is too long to be kept. */
export function identifier(identity: Identity, now: () => Date): Identify {
  const identify = identifierOf(identity, now)
  return async (headers) => {
    const caller = await identify(headers)
    refuseLong(caller)
    return caller
  }
}

function identifierOf(identity: Identity, now: () => Date): Identify {
  switch (identity.mode) {
    case 'none':
      return anybody
    case 'headers':
      return byHeaders(new Set(identity.reporters))
    case 'oidc':
      return identifyByToken(identity.oidc, now)
  }
}

/** Identity headers are used when they are sent. Without a tenant the caller is the operator, who sees all jobs. */
function anybody(headers: Headers): Caller {
  const tenant = identityHeader(headers, 'X-Tenant') ?? ''
  return { scope: { tenant, user: identityHeader(headers, 'X-User') ?? '', everyTenant: tenant === '' }, permissions: ALL }
}

const ALL = new Set(['read', 'write', 'report'] as const)

/** `reporters` are users that may report for the runs of their tenant without a run token. */
const byHeaders =
  (reporters: ReadonlySet<string>): Identify =>
  (headers) => {
    const tenant = identityHeader(headers, 'X-Tenant')
    if (tenant === undefined) throw HubError.of('missing_tenant_header', { Header: 'X-Tenant' })
    const user = identityHeader(headers, 'X-User')
    if (user === undefined) throw HubError.of('missing_user_header', { Header: 'X-User' })
    return callerOf(tenant, user, ['read', 'write', ...(reporters.has(user) ? (['report'] as const) : [])])
  }
