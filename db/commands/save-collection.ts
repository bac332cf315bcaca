import type { Collection, CollectionConfig } from '#shared/models/collection.ts'
import type { Db } from '../client.ts'
import { json } from '../json.ts'
import { toCollection, type CollectionRow } from '../queries/catalogue.ts'
import type { Scope } from '../scope.ts'

/** Stores a collection of a tenant. What it refers to need not exist. `id` is made by the caller. */
export async function createCollection(db: Db, scope: Scope, id: string, config: CollectionConfig): Promise<Collection> {
  const [row] = await db<[CollectionRow]>`
    insert into evalhub.collections (id, tenant, source, owner, config)
    values (${id}, ${scope.tenant}, 'api', ${scope.user}, ${json(db, config)})
    returning id, tenant, owner, to_json(created_at) as created_at, to_json(updated_at) as updated_at, config`
  return toCollection(row)
}
