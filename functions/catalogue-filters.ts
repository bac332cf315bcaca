import type { Context } from 'hono'
import type { CatalogueFilters } from '#db/queries/catalogue.ts'
import { filterWarnings } from '#shared/domain/filter-warnings.ts'
import { HubError } from '#shared/errors.ts'
import type { AppEnv } from './env.ts'
import type { ReadFilter } from './query.ts'

/** The filters that lists of providers and of collections share. `owner` and `scope` exclude each other. */
export function catalogueFilters(req: Context<AppEnv>['req'], filter: ReadFilter): CatalogueFilters {
  const owner = filter('owner', true)
  const scope = req.query('scope') || undefined
  if (owner && scope) throw HubError.of('query_parameter_mismatch', { ParameterNames: 'owner,scope' })
  if (scope !== undefined && scope !== 'system' && scope !== 'tenant') {
    throw HubError.of('query_parameter_value_invalid', { ParameterName: 'scope', AllowedValues: 'system|tenant' })
  }
  return { name: filter('name'), tags: filter('tags'), owner, ...(scope && { scope }) }
}

/** What of these filters can never be found. */
export const catalogueWarnings = ({ name, tags, owner }: CatalogueFilters): string[] =>
  filterWarnings([
    { name: 'name', filter: name },
    { name: 'tags', filter: tags, hasMany: true },
    { name: 'owner', filter: owner, canNegate: true },
  ])
