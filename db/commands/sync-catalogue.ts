import type { CollectionFile } from '#shared/models/collection.ts'
import type { ProviderFile } from '#shared/models/provider.ts'
import type { Db, Pool } from '../client.ts'
import { json } from '../json.ts'
import { writeBenchmarks } from './save-provider.ts'

export type Catalogue = { providers: readonly ProviderFile[]; collections: readonly CollectionFile[] }

/**
 * Makes the system's providers and collections exactly those of `catalogue`, in one transaction under a lock: any number of processes may call it.
 *
 * A row that is the same is left alone, so `updated_at` is when something last changed. Submitted jobs have their own copy and never change.
 */
export async function syncCatalogue(db: Pool, { providers, collections }: Catalogue): Promise<void> {
  await db.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtextextended('evalhub catalogue', 0))`
    await removeOthers(tx, tx`evalhub.providers`, providers)
    await removeOthers(tx, tx`evalhub.collections`, collections)
    for (const provider of providers) await saveProvider(tx, provider)
    for (const collection of collections) await saveCollection(tx, collection)
  })
}

const removeOthers = (tx: Db, table: ReturnType<Db>, kept: readonly { id: string }[]) => tx`
  delete from ${table} where source = 'catalogue'
  and id <> all (select jsonb_array_elements_text(${json(
    tx,
    kept.map(({ id }) => id),
  )}))`

async function saveProvider(tx: Db, file: ProviderFile): Promise<void> {
  const { id, benchmarks, runtime, deadline_seconds: deadline, ...config } = file
  await tx`
    insert into evalhub.providers as old (id, tenant, source, owner, config, runtime, deadline_seconds)
    values (${id}, '', 'catalogue', 'system', ${json(tx, config)}, ${runtime ? json(tx, runtime) : null}, ${deadline ?? null})
    on conflict (id) do update
      set config = excluded.config, runtime = excluded.runtime, deadline_seconds = excluded.deadline_seconds, updated_at = now()
      where (old.config, old.runtime, old.deadline_seconds) is distinct from (excluded.config, excluded.runtime, excluded.deadline_seconds)`
  await writeBenchmarks(tx, id, benchmarks ?? [])
}

async function saveCollection(tx: Db, { id, ...config }: CollectionFile): Promise<void> {
  await tx`
    insert into evalhub.collections as old (id, tenant, source, owner, config)
    values (${id}, '', 'catalogue', 'system', ${json(tx, config)})
    on conflict (id) do update set config = excluded.config, updated_at = now() where old.config is distinct from excluded.config`
}
