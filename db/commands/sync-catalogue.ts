import { isOlderRelease } from '#shared/domain/is-older-release.ts'
import type { CollectionFile } from '#shared/models/collection.ts'
import type { ProviderFile } from '#shared/models/provider.ts'
import type { Db, Pool } from '../client.ts'
import { json } from '../json.ts'

export type Catalogue = { providers: readonly ProviderFile[]; collections: readonly CollectionFile[] }

/**
 * Makes the system's providers and collections exactly those of `catalogue`, in one transaction under a lock: any number of processes may call it.
 *
 * `release` is that of the caller. If a newer one has written before, nothing changes, and that one is returned: while a new release takes
 * over from an old one, the old one's restarts must not bring its files back. A row that is the same is left alone, so `updated_at` is when
 * something last changed, a benchmark of a provider included. Submitted jobs have their own copy and never change.
 */
export async function syncCatalogue(db: Pool, { providers, collections }: Catalogue, release: string): Promise<{ newerRelease?: string }> {
  return db.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtextextended('evalhub catalogue', 0))`
    const [hub] = await tx<{ written: string | null }[]>`select catalogue_release as written from evalhub.hub`
    const written = hub?.written ?? undefined
    if (written !== undefined && isOlderRelease(release, written)) return { newerRelease: written }
    await removeOthers(tx, tx`evalhub.providers`, providers)
    await removeOthers(tx, tx`evalhub.collections`, collections)
    await saveProviders(tx, providers)
    await saveCollections(tx, collections)
    // Last, because passes of the bridge write this row too, and would wait.
    await tx`update evalhub.hub set catalogue_release = ${release} where catalogue_release is distinct from ${release}`
    return {}
  })
}

const removeOthers = (tx: Db, table: ReturnType<Db>, kept: readonly { id: string }[]) => tx`
  delete from ${table} where source = 'catalogue'
  and id <> all (select jsonb_array_elements_text(${json(
    tx,
    kept.map(({ id }) => id),
  )}))`

/** All providers with all benchmarks in one statement. */
async function saveProviders(tx: Db, files: readonly ProviderFile[]): Promise<void> {
  const rows = files.map(({ id, benchmarks: _, runtime = null, deadline_seconds: deadline = null, ...config }) => ({
    id,
    config,
    runtime,
    deadline,
  }))
  const benchmarks = files.flatMap(({ id, benchmarks = [] }) =>
    benchmarks.map((definition, position) => ({ provider_id: id, benchmark_id: definition.id, position, definition })),
  )
  await tx`
    with file as materialized (
      select * from jsonb_to_recordset(${json(tx, rows)}) as file (id text, config jsonb, runtime jsonb, deadline int)
    ), entry as materialized (
      -- Of several with one id the first counts.
      select distinct on (provider_id, benchmark_id) *
      from jsonb_to_recordset(${json(tx, benchmarks)}) as entry (provider_id text, benchmark_id text, position int, definition jsonb)
      order by provider_id, benchmark_id, position
    ), gone as (
      delete from evalhub.provider_benchmarks as old using file
      where old.provider_id = file.id
        and not exists (select from entry where entry.provider_id = old.provider_id and entry.benchmark_id = old.benchmark_id)
      returning old.provider_id
    ), written as (
      insert into evalhub.provider_benchmarks as old (provider_id, benchmark_id, position, definition)
      select provider_id, benchmark_id, position, definition from entry
      on conflict (provider_id, benchmark_id) do update set position = excluded.position, definition = excluded.definition
        where (old.position, old.definition) is distinct from (excluded.position, excluded.definition)
      returning old.provider_id
    )
    insert into evalhub.providers as old (id, tenant, source, owner, config, runtime, deadline_seconds)
    select id, '', 'catalogue', 'system', config, runtime, deadline from file
    on conflict (id) do update
      set config = excluded.config, runtime = excluded.runtime, deadline_seconds = excluded.deadline_seconds, updated_at = now()
      where (old.config, old.runtime, old.deadline_seconds) is distinct from (excluded.config, excluded.runtime, excluded.deadline_seconds)
        or old.id in (select provider_id from gone union all select provider_id from written)`
}

async function saveCollections(tx: Db, files: readonly CollectionFile[]): Promise<void> {
  const rows = files.map(({ id, ...config }) => ({ id, config }))
  await tx`
    insert into evalhub.collections as old (id, tenant, source, owner, config)
    select id, '', 'catalogue', 'system', config from jsonb_to_recordset(${json(tx, rows)}) as file (id text, config jsonb)
    on conflict (id) do update set config = excluded.config, updated_at = now() where old.config is distinct from excluded.config`
}
