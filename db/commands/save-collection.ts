import type { Collection, CollectionConfig } from '#shared/models/collection.ts'
import type { Db } from '../client.ts'
import { json } from '../json.ts'
import { pageOf, toCollection, type CollectionRow } from '../queries/catalogue.ts'
import type { Scope } from '../scope.ts'

/** Stores a collection of a tenant, with the pages that providers name. What it refers to need not exist. `id` is made by the caller. */
export async function createCollection(db: Db, scope: Scope, id: string, config: CollectionConfig): Promise<Collection> {
  const [row] = await db<[CollectionRow]>`
    insert into evalhub.collections (id, tenant, source, owner, config)
    values (${id}, ${scope.tenant}, 'api', ${scope.user}, ${withPages(db, config, scope.tenant)})
    returning id, tenant, owner, to_json(created_at) as created_at, to_json(updated_at) as updated_at, config`
  return toCollection(row)
}

/** The config to be stored: each benchmark that has no `url` gets that of its provider, as far as the tenant sees one. */
export const withPages = (db: Db, config: CollectionConfig, tenant: string) => db`(
  select new.config || jsonb_build_object('benchmarks', (
    select jsonb_agg(coalesce(page, '{}') || entry order by place)
    from jsonb_array_elements(new.config->'benchmarks') with ordinality as entries (entry, place)
      left join lateral (${pageOf(db, db`entry`, db`${tenant}`)}) as found on true
  ))
  from (select ${json(db, config)}::jsonb as config) as new
)`
