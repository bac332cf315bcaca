import type { Provider, ProviderConfig } from '#shared/models/provider.ts'
import type { Db } from '../client.ts'
import { json } from '../json.ts'
import { toProvider, type ProviderRow } from '../queries/catalogue.ts'
import type { Scope } from '../scope.ts'

/** Stores a provider of a tenant, with its benchmarks; of several with one id the first counts. `id` is made by the caller, who also begins the transaction. */
export async function createProvider(tx: Db, scope: Scope, id: string, config: ProviderConfig): Promise<Provider> {
  const { config: stored, runtime, benchmarks } = splitProvider(config)
  const [row] = await tx<[Omit<ProviderRow, 'benchmarks'>]>`
    insert into evalhub.providers (id, tenant, source, owner, config, runtime)
    values (${id}, ${scope.tenant}, 'api', ${scope.user}, ${json(tx, stored)}, ${runtime ? json(tx, runtime) : null})
    returning id, tenant, owner, to_json(created_at) as created_at, to_json(updated_at) as updated_at, config, runtime`
  await writeBenchmarks(tx, id, benchmarks)
  return toProvider({ ...row, benchmarks })
}

/** A provider in the parts in which it is stored. */
export function splitProvider({ benchmarks = [], runtime, ...config }: ProviderConfig) {
  return { config, runtime, benchmarks }
}

/** Makes the benchmarks of a stored provider exactly these. */
export async function writeBenchmarks(tx: Db, id: string, benchmarks: NonNullable<ProviderConfig['benchmarks']>): Promise<void> {
  const rows = benchmarks.map((definition, position) => ({ benchmark_id: definition.id, position, definition }))
  await tx`delete from evalhub.provider_benchmarks where provider_id = ${id}`
  await tx`
    insert into evalhub.provider_benchmarks (provider_id, benchmark_id, position, definition)
    select ${id}, benchmark_id, position, definition
    from jsonb_to_recordset(${json(tx, rows)}) as benchmark (benchmark_id text, position int, definition jsonb)
    order by position
    on conflict do nothing`
}
