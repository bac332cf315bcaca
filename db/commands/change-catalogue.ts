import { refuseLargeCollection, refuseLargeProvider } from '#shared/domain/catalogue-footprint.ts'
import { requireVersion, type ExpectedVersions } from '#shared/domain/require-version.ts'
import { HubError, notFound } from '#shared/errors.ts'
import type { Collection, CollectionConfig } from '#shared/models/collection.ts'
import type { Provider, ProviderConfig } from '#shared/models/provider.ts'
import type { Db, Pool } from '../client.ts'
import { json } from '../json.ts'
import { reserveCollection, reserveProvider, toCollection, toProvider, type CollectionRow, type ProviderRow } from '../queries/catalogue.ts'
import type { Reserve } from '../reserve.ts'
import { ofTenantOrCatalogue, type Scope } from '../scope.ts'
import { withPages } from './save-collection.ts'
import { splitProvider, writeBenchmarks } from './save-provider.ts'

type Change<Config> = { change: (config: Config) => Config; expected: ExpectedVersions | undefined; reserve: Reserve }

type Locked<Row> = Row & { source: 'catalogue' | 'api' }

/** Later than before, also for a transaction that began earlier and waited for the lock. */
const touched = (db: Db) => db`updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')`

const columns = (db: Db) => db`id, tenant, owner, source, config, to_json(created_at) as created_at, to_json(updated_at) as updated_at`

/**
 * Makes a tenant's provider what `change` makes of it, under its lock, so that no change is lost. Its version is its `updated_at`, which rises
 * with every change.
 *
 * `change` refuses by throwing. One of the catalogue is refused with `read_only_provider`, after `change` has seen it: a bad
 * change of a system provider is reported as bad. Unknown ones and other tenants' are not found.
 */
export async function changeProvider(
  db: Pool,
  scope: Scope,
  id: string,
  { change, expected, reserve }: Change<ProviderConfig>,
): Promise<Provider> {
  // Nobody waits for memory with a connection that others need.
  await reserveProvider(db, scope, id, reserve)
  return db.begin(async (tx) => {
    const [row] = await tx<Locked<ProviderRow>[]>`
      select ${columns(tx)}, runtime, (
        select json_agg(definition order by position) from evalhub.provider_benchmarks where provider_id = providers.id
      ) as benchmarks
      from evalhub.providers where id = ${id} ${ofTenantOrCatalogue(tx, scope)} for update of providers`
    if (!row) throw notFound('provider', id)
    requireVersion(expected, row.updated_at)
    const { resource: _, ...current } = toProvider(row)
    const changed = change(current)
    if (row.source === 'catalogue') throw HubError.of('read_only_provider', { ProviderID: id })
    refuseLargeProvider(changed)

    const { config, runtime, benchmarks } = splitProvider(changed)
    const [times] = await tx<[Pick<ProviderRow, 'updated_at'>]>`
      update evalhub.providers set config = ${json(tx, config)}, runtime = ${runtime ? json(tx, runtime) : null}, ${touched(tx)}
      where id = ${id} returning to_json(updated_at) as updated_at`
    await writeBenchmarks(tx, id, benchmarks)
    return toProvider({ ...row, ...times, config, runtime: runtime ?? null, benchmarks })
  })
}

/** As `changeProvider`; one of the catalogue is refused with `read_only_collection`, before `change` sees it. */
export async function changeCollection(
  db: Pool,
  scope: Scope,
  id: string,
  { change, expected, reserve }: Change<CollectionConfig>,
): Promise<Collection> {
  await reserveCollection(db, scope, id, reserve)
  return db.begin(async (tx) => {
    const [row] = await tx<Locked<CollectionRow>[]>`
      select ${columns(tx)} from evalhub.collections where id = ${id} ${ofTenantOrCatalogue(tx, scope)} for update`
    if (!row) throw notFound('collection', id)
    requireVersion(expected, row.updated_at)
    if (row.source === 'catalogue') throw HubError.of('read_only_collection', { CollectionID: id })
    const config = change(row.config)
    refuseLargeCollection(config)

    const [stored] = await tx<[Pick<CollectionRow, 'updated_at' | 'config'>]>`
      update evalhub.collections set config = ${withPages(tx, config, row.tenant)}, ${touched(tx)}
      where id = ${id} returning to_json(updated_at) as updated_at, config`
    return toCollection({ ...row, ...stored })
  })
}

/** Submitted jobs have their own copy, so what refers to the provider goes on. */
export async function deleteProvider(db: Pool, scope: Scope, id: string, expected?: ExpectedVersions): Promise<void> {
  const source = await remove(db, db`evalhub.providers`, scope, id, expected)
  if (source === undefined) throw notFound('provider', id)
  if (source === 'catalogue') throw HubError.of('read_only_provider', { ProviderID: id })
}

export async function deleteCollection(db: Pool, scope: Scope, id: string, expected?: ExpectedVersions): Promise<void> {
  const source = await remove(db, db`evalhub.collections`, scope, id, expected)
  if (source === undefined) throw notFound('collection', id)
  if (source === 'catalogue') throw HubError.of('read_only_collection', { CollectionID: id })
}

type Source = 'catalogue' | 'api'

/** Deletes a row of the tenant that is at an expected version; answers whose the row was, deleted or not. */
async function remove(db: Db, table: ReturnType<Db>, scope: Scope, id: string, expected: ExpectedVersions): Promise<Source | undefined> {
  const isExpected = expected ? db`version in (select jsonb_array_elements_text(${json(db, expected)}))` : db`true`
  const [row] = await db<{ source: Source; version: string }[]>`
    with found as (
      select id, source, to_json(updated_at) #>> '{}' as version
      from ${table} where id = ${id} ${ofTenantOrCatalogue(db, scope)} for update
    ), gone as (delete from ${table} as target using found where target.id = found.id and found.source = 'api' and ${isExpected})
    select source, version from found`
  if (row) requireVersion(expected, row.version)
  return row?.source
}
