import type { Filter } from '#shared/domain/list-filter.ts'
import type { Found } from '#shared/domain/resolve-benchmarks.ts'
import { HubError } from '#shared/errors.ts'
import { COLLECTION_WORDS, type Collection, type CollectionConfig, type CollectionWords } from '#shared/models/collection.ts'
import type { EvaluationJobConfig } from '#shared/models/evaluation.ts'
import type { BenchmarkResource, Provider, ProviderConfig, ProviderRuntime } from '#shared/models/provider.ts'
import type { Db } from '../client.ts'
import { json } from '../json.ts'
import { SMALL_FOOTPRINT, type Reserve } from '../reserve.ts'
import { ofTenantOrCatalogue, type Scope } from '../scope.ts'
import { containing, matching, sliced, type Fragment, type Listed, type Slice } from './filters.ts'
import { inGroups, type Measured, type Place } from './in-groups.ts'

type ResourceRow = { id: string; tenant: string; owner: string; created_at: string; updated_at: string }

export type ProviderRow = ResourceRow & {
  config: Omit<ProviderConfig, 'runtime' | 'benchmarks'>
  runtime: ProviderRuntime | null
  /** Null if there are none. */
  benchmarks: BenchmarkResource[] | null
}
export type CollectionRow = ResourceRow & { config: CollectionConfig }

const resourceColumns = (db: Db) => db`id, tenant, owner, to_json(created_at) as created_at, to_json(updated_at) as updated_at`

const toResource = ({ id, tenant, owner, created_at, updated_at }: ResourceRow) => ({
  id,
  ...(tenant && { tenant }),
  created_at,
  updated_at,
  ...(owner && { owner }),
})

export function toProvider({ config, runtime, benchmarks, ...row }: ProviderRow): Provider {
  return { resource: toResource(row), ...config, ...(runtime && { runtime }), benchmarks: benchmarks ?? [] }
}

export const toCollection = ({ config, ...row }: CollectionRow): Collection => ({ resource: toResource(row), ...config })

export type CatalogueFilters = Partial<Record<'name' | 'tags' | 'owner' | 'category', Filter | undefined>> & {
  scope?: 'system' | 'tenant'
  /** Of collections: the lists of words that each must carry. */
  words?: Partial<Record<CollectionWords, Filter | undefined>>
}

/** All that a tenant may list: its own and the catalogue's; for the operator everything. */
const listed = (db: Db, scope: Scope, filters: CatalogueFilters) => db`
  ${scope.everyTenant ? db`true` : db`(tenant = ${scope.tenant} or source = 'catalogue')`}
  ${filters.scope ? db`and source = ${filters.scope === 'system' ? 'catalogue' : 'api'}` : db``}
  ${matching(db, db`config->>'name'`, filters.name)} ${containing(db, db`config->'tags'`, filters.tags)}
  ${matching(db, db`owner`, filters.owner)} ${matching(db, db`config->>'category'`, filters.category)}
  ${containingWords(db, filters.words ?? {})}`

const containingWords = (db: Db, words: NonNullable<CatalogueFilters['words']>): Fragment =>
  COLLECTION_WORDS.reduce((all, list) => db`${all} ${containing(db, db`config->${list}::text`, words[list])}`, db``)

/**
 * As `shared/domain/footprint.ts` counts text, and a little more: what looks like JSON in strings counts too. What an operator ships counts
 * nothing. The `offset` keeps the text from being made five times; of bytes nothing is counted one by one, as of characters.
 */
const footprintOf = (db: Db, text: Fragment) => db`
  case when source = 'catalogue' then 0 else least(2000000000, (
    select octet_length(json) + 64 * (octet_length(json) - octet_length(replace(replace(replace(json, '{', ''), '[', ''), ':', '')))
      + 16 * (octet_length(json) - octet_length(replace(json, ',', '')))
    from (select ${text} as json offset 0) as told
  ))::int end`

type Table<Row extends object, Item> = { table: Fragment; columns: Fragment; footprint: Fragment; toItem: (row: Row) => Item }

async function wholeOf<Row extends object, Item>(
  db: Db,
  { table, columns, toItem }: Table<Row, Item>,
  wanted: Fragment,
): Promise<Item | undefined> {
  const [row] = await db<Row[]>`select ${columns} from ${table} where ${wanted}`
  return row && toItem(row)
}

/** The only row that is wanted, for which `reserve` is asked if it is not small. */
async function find<Row extends object, Item>(
  db: Db,
  from: Table<Row, Item>,
  wanted: Fragment,
  reserve: Reserve,
): Promise<Item | undefined> {
  const { table, columns, footprint, toItem } = from
  const [row] = await db<(Row & { footprint: number })[]>`
    select columns.*, footprint
    from (select id, ${footprint} as footprint from ${table} where ${wanted}) as found
    left join lateral (select ${columns} from ${table} where id = found.id and footprint <= ${SMALL_FOOTPRINT}) as columns on true`
  if (!row || row.footprint <= SMALL_FOOTPRINT) return row && toItem(row)
  await reserve(row.footprint)
  return wholeOf(db, from, wanted)
}

async function reserveRow(
  db: Db,
  { table, footprint }: Pick<Table<never, never>, 'table' | 'footprint'>,
  wanted: Fragment,
  reserve: Reserve,
) {
  const [row] = await db<{ footprint: number }[]>`select ${footprint} as footprint from ${table} where ${wanted}`
  if (row && row.footprint > SMALL_FOOTPRINT) await reserve(row.footprint)
}

/** The rows of a table that are wanted, as many at a time as are small together, or a larger one. */
async function list<Row extends { id: string }, Item>(
  db: Db,
  { table, columns, footprint, toItem }: Table<Row, Item>,
  wanted: Fragment,
  slice: Slice,
  reserve: Reserve,
): Promise<Listed<Item>> {
  const source = {
    next: ({ after, ...rest }: Place) => db<(Row & Measured)[]>`
      select columns.*, page.id, footprint, chosen
      from (
        select id, chosen, footprint, sum(footprint) over (order by id desc) as running, row_number() over (order by id desc) as place
        from (
          select id, ${footprint} as footprint, count(*) over ()::int as chosen
          from ${table} where ${wanted} ${after === undefined ? db`` : db`and id < ${after}`} order by id desc ${sliced(db, rest)}
        ) as ids
      ) as page left join lateral (select ${columns} from ${table} where id = page.id and footprint <= ${SMALL_FOOTPRINT}) as columns on true
      where running <= ${SMALL_FOOTPRINT} or place = 1
      order by page.id desc`,
    toItem,
    whole: (id: string) => wholeOf(db, { table, columns, footprint, toItem }, db`id = ${id} and ${wanted}`),
  }
  const [groups, [count]] = await Promise.all([
    inGroups(source, slice, reserve),
    db<{ total: number }[]>`select count(*) as total from ${table} where ${wanted}`,
  ])
  return { ...groups, total: count?.total ?? 0 }
}

const benchmarksOf = (db: Db) => db`(
  select json_agg(definition order by position) from evalhub.provider_benchmarks where provider_id = providers.id
)`

const providers = (db: Db, withBenchmarks: boolean): Table<ProviderRow, Provider> => {
  const benchmarks = withBenchmarks ? benchmarksOf(db) : db`'[]'::json`
  return {
    table: db`evalhub.providers`,
    columns: db`${resourceColumns(db)}, config, runtime, ${benchmarks} as benchmarks`,
    footprint: footprintOf(db, db`concat(config, runtime, ${benchmarks})`),
    toItem: toProvider,
  }
}

/** `withBenchmarks` false: each comes with an empty list, which is much less to send. */
export async function listProviders(
  db: Db,
  scope: Scope,
  filters: CatalogueFilters,
  slice: Slice,
  { withBenchmarks, reserve }: { withBenchmarks: boolean; reserve: Reserve },
): Promise<Listed<Provider>> {
  return list(db, providers(db, withBenchmarks), listed(db, scope, filters), slice, reserve)
}

/** Undefined also when it belongs to another tenant. */
export const findProvider = (db: Db, scope: Scope, id: string, reserve: Reserve): Promise<Provider | undefined> =>
  find(db, providers(db, true), db`id = ${id} ${ofTenantOrCatalogue(db, scope)}`, reserve)

/** Asks for the memory that a change of the provider needs beside that of the request. */
export const reserveProvider = (db: Db, scope: Scope, id: string, reserve: Reserve): Promise<void> =>
  reserveRow(db, providers(db, true), db`id = ${id} ${ofTenantOrCatalogue(db, scope)}`, reserve)

/** The same for a collection. */
export const reserveCollection = (db: Db, scope: Scope, id: string, reserve: Reserve): Promise<void> =>
  reserveRow(db, collections(db), db`id = ${id} ${ofTenantOrCatalogue(db, scope)}`, reserve)

/** Longer ones are shown with their provider only: a collection would have a copy for each of its benchmarks. */
const MAX_PAGE_CHARACTERS = 2048

/** The page about a benchmark of a collection, as its provider names it now; no row if it names none, is gone, or belongs to another tenant. */
export const pageOf = (db: Db, entry: Fragment, tenant: Fragment) => db`
  select jsonb_build_object('url', benchmark.definition->'url') as page
  from evalhub.provider_benchmarks as benchmark join evalhub.providers as provider on provider.id = benchmark.provider_id
  where benchmark.provider_id = ${entry}->>'provider_id' and benchmark.benchmark_id = ${entry}->>'id'
    and length(benchmark.definition->>'url') between 1 and ${MAX_PAGE_CHARACTERS} and (provider.source = 'catalogue' or provider.tenant = ${tenant})`

/** The config with the present page of each of its benchmarks, whatever was stored. */
const presentConfig = (db: Db) => db`
  config || jsonb_build_object('benchmarks', (
    select jsonb_agg((entry - 'url') || coalesce(page, '{}') order by place)
    from jsonb_array_elements(config->'benchmarks') with ordinality as entries (entry, place)
      left join lateral (${pageOf(db, db`entry`, db`case when collections.source = 'api' then collections.tenant end`)}) as found on true
  ))`

const collections = (db: Db): Table<CollectionRow, Collection> => ({
  table: db`evalhub.collections`,
  columns: db`${resourceColumns(db)}, ${presentConfig(db)} as config`,
  footprint: footprintOf(db, db`(${presentConfig(db)})::text`),
  toItem: toCollection,
})

export const listCollections = (
  db: Db,
  scope: Scope,
  filters: CatalogueFilters,
  slice: Slice,
  reserve: Reserve,
): Promise<Listed<Collection>> => list(db, collections(db), listed(db, scope, filters), slice, reserve)

/** Undefined also when it belongs to another tenant. */
export const findCollection = (db: Db, scope: Scope, id: string, reserve: Reserve): Promise<Collection | undefined> =>
  find(db, collections(db), db`id = ${id} ${ofTenantOrCatalogue(db, scope)}`, reserve)

export type Resolution = { collection: { config: CollectionConfig; updated_at: string } | null; found: Found[] }

/** What a submit asks the catalogue. */
export type Question = { tenant: string; request: Pick<EvaluationJobConfig, 'benchmarks' | 'collection'> }

/**
 * All that submits need of the catalogue, in one statement: the collection of each, and each benchmark that it or the request names.
 *
 * Answers in the order of the questions. Those that name the same things share an answer, which nobody may change.
 */
export async function resolve(db: Db, questions: readonly Question[]): Promise<Resolution[]> {
  // Jobs that come together often differ in their model only.
  const keys = questions.map((question) => JSON.stringify(toWanted(question)))
  const wanted = new Map(questions.map((question, at) => [keys[at], toWanted(question)]))
  const rows = await db<ResolvedRow[]>`
    with wanted as materialized (
      select * from jsonb_to_recordset(${json(
        db,
        [...wanted.values()].map((one, at) => ({ at, ...one })),
      )}) as wanted (at int, tenant text, collection text, named jsonb)
    ), collection as materialized (
      select at, wanted.tenant, config, to_json(updated_at) as updated_at
      from wanted join evalhub.collections on id = wanted.collection and (collections.tenant = wanted.tenant or source = 'catalogue')
    ), pairs as (
      select at, tenant, provider_id, benchmark_id
      from wanted, jsonb_to_recordset(named) as named (provider_id text, benchmark_id text)
      union
      select at, tenant, entry->>'provider_id', entry->>'id' from collection, jsonb_array_elements(config->'benchmarks') as entry
    ), provider as materialized (
      select at, named.provider_id, known.id, known.source, known.runtime, known.deadline_seconds,
        case when known.source = 'api' then octet_length(known.runtime::text) else 0 end as bytes
      from (select distinct at, tenant, provider_id from pairs) as named left join evalhub.providers as known
        on known.id = named.provider_id and (known.tenant = named.tenant or known.source = 'catalogue')
    ), too_long as materialized (
      select coalesce(sum(bytes), 0) > ${FOUND_BYTES_MAX} as is_too_long from provider
    ), providers as (
      select at, json_object_agg(provider_id, json_build_object(
        'provider_known', id is not null, 'from_catalogue', coalesce(source = 'catalogue', false), 'runtime', runtime,
        'deadline_seconds', deadline_seconds
      )) as providers
      from provider where not (select is_too_long from too_long) group by at
    ), benchmarks as (
      select at, json_agg(json_build_object(
        'provider_id', pairs.provider_id, 'benchmark_id', pairs.benchmark_id, 'definition', case when definition is not null then
          json_build_object('primary_score', definition -> 'primary_score', 'pass_criteria', definition -> 'pass_criteria') end
      )) as benchmarks
      from pairs join provider using (at, provider_id)
        left join evalhub.provider_benchmarks as benchmark
          on benchmark.provider_id = provider.id and benchmark.benchmark_id = pairs.benchmark_id
      group by at
    )
    select
      at, coalesce(providers, '{}') as providers, coalesce(benchmarks, '[]') as benchmarks, is_too_long,
      case when config is not null then json_build_object('config', config, 'updated_at', updated_at) end as collection
    from wanted left join collection using (at) left join providers using (at) left join benchmarks using (at) cross join too_long`
  if (rows.some(({ is_too_long }) => is_too_long)) throw tooLong()
  const order = [...wanted.keys()]
  const byKey = new Map(rows.map((row) => [order[row.at], toResolution(row)]))
  return keys.map((key) => byKey.get(key) ?? NOTHING)
}

type ResolvedRow = Pick<Resolution, 'collection'> & {
  at: number
  is_too_long: boolean
  /** By its id, what all benchmarks of a provider share: it may be long. */
  providers: Record<string, Omit<Found, 'provider_id' | 'benchmark_id' | 'definition'>>
  benchmarks: Pick<Found, 'provider_id' | 'benchmark_id' | 'definition'>[]
}

function toResolution({ collection, providers, benchmarks }: ResolvedRow): Resolution {
  const byId = new Map(Object.entries(providers))
  return {
    collection,
    found: benchmarks.flatMap((benchmark) => {
      const provider = byId.get(benchmark.provider_id)
      return provider ? [{ ...benchmark, ...provider }] : []
    }),
  }
}

/** The runtimes of tenants' providers that are asked for at once. */
const FOUND_BYTES_MAX = 16 * 1024 * 1024

/** The fault of one question, or of several together: who gathers them asks for each again by itself. */
function tooLong(): HubError {
  const what = `the runtimes of its benchmarks' providers are more than ${FOUND_BYTES_MAX / 1024 / 1024} MiB together`
  return HubError.of('request_validation_failed', { Error: `${what}: name fewer in one job, or make that shorter` })
}

const NOTHING: Resolution = { collection: null, found: [] }

const toWanted = ({ tenant, request: { benchmarks = [], collection } }: Question) => ({
  tenant,
  collection: collection?.id ?? '',
  named: benchmarks.map(({ provider_id, id }) => ({ provider_id, benchmark_id: id })),
})
