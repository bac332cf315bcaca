import type { Db } from './client.ts'

/** On whose behalf a statement runs. Made from a request's identity. */
export type Scope = {
  /** Empty where no identity is required and none was given. */
  tenant: string
  /** Who asks; owner of what is created. May be empty. */
  user: string
  /** The operator of a hub without identities, who sees every tenant's jobs. Never true where identity is required. */
  everyTenant: boolean
}

/** Whose jobs a statement may see. */
export type TenantScope = Pick<Scope, 'tenant' | 'everyTenant'>

/** Of all tenants: for what finds its job by other means, as the bridge and callbacks do. */
export const EVERY_TENANT: TenantScope = { tenant: '', everyTenant: true }

/** Narrows a statement on jobs to what `scope` may see; to be put after a `where` with a condition. */
export const ofTenant = (db: Db, { tenant, everyTenant }: TenantScope) => (everyTenant ? db`` : db`and tenant = ${tenant}`)

/** Narrows a statement on providers or collections, found by id, to the tenant's own and the catalogue's. */
export const ofTenantOrCatalogue = (db: Db, { tenant }: Scope) => db`and (tenant = ${tenant} or source = 'catalogue')`
