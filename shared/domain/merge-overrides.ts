import { HubError } from '../errors.ts'
import type { CollectionBenchmark } from '../models/collection.ts'
import type { BenchmarkConfig } from '../models/evaluation.ts'
import { PARAMETERS_MAX } from '../models/fields.ts'
import { overrideRemarks } from './request-remarks.ts'

/** A benchmark as it is to be run; its parameters are made when they are asked for, since those of many benchmarks together may be long. */
export type EffectiveBenchmark = Pick<
  BenchmarkConfig,
  'id' | 'provider_id' | 'weight' | 'primary_score' | 'pass_criteria' | 'hardware_config' | 'test_data_ref'
> & {
  parameters: () => Readonly<Record<string, unknown>>
  /** What of the job's additions is otherwise than whoever wrote them may think; a sentence each. */
  remarks: () => string[]
}

/** Names a benchmark among all providers'. */
export const benchmarkKey = (provider: string, benchmark: string): string => JSON.stringify([provider, benchmark])

/**
 * A collection's entries with what the job adds (contract 6.3): overrides of any benchmark of the same provider add parameters, the
 * collection's own win, and its null or empty string removes one. Weight and criteria are the collection's alone.
 *
 * Refuses an override of what the collection does not have, and, when they are made, more parameters than a benchmark may have.
 */
export function mergeOverrides(entries: readonly CollectionBenchmark[], overrides: readonly BenchmarkConfig[]): EffectiveBenchmark[] {
  refuseStrangers(entries, overrides)
  const added = addedByProvider(overrides)
  const own = new Map(overrides.toReversed().map((override) => [benchmarkKey(override.provider_id, override.id), override]))
  return entries.map(({ url: _, parameters = {}, ...entry }) => {
    const override = own.get(benchmarkKey(entry.provider_id, entry.id))
    const { test_data_ref, hardware_config } = override ?? {}
    const { names, whole, givers } = added.get(entry.provider_id) ?? NOTHING
    return {
      ...entry,
      parameters: () => (Object.keys(parameters).length === 0 ? whole() : merged(entry.id, names, parameters)),
      remarks: () => overrideRemarks({ id: entry.id, own: parameters, givers, override }),
      ...(test_data_ref && { test_data_ref }),
      ...(hardware_config && { hardware_config }),
    }
  })
}

type Added = {
  names: ReadonlyMap<string, unknown>
  /** Which benchmark's override gave each of them last. */
  givers: ReadonlyMap<string, string>
  /** All of it, the same object each time. */
  whole: () => Readonly<Record<string, unknown>>
}

const NOTHING: Added = { names: new Map(), givers: new Map(), whole: () => ({}) }

function addedByProvider(overrides: readonly BenchmarkConfig[]): Map<string, Added> {
  const byProvider = new Map<string, { names: Map<string, unknown>; givers: Map<string, string> }>()
  for (const { id, provider_id, parameters = {} } of overrides) {
    const { names, givers } = byProvider.get(provider_id) ?? { names: new Map<string, unknown>(), givers: new Map<string, string>() }
    for (const [name, value] of Object.entries(parameters)) {
      names.set(name, value)
      givers.set(name, id)
    }
    byProvider.set(provider_id, { names, givers })
  }
  return new Map(
    [...byProvider].map(([provider, { names, givers }]) => {
      let whole: Record<string, unknown> | undefined
      return [provider, { names, givers, whole: () => (whole ??= checked(`those of ${provider}`, names)) }]
    }),
  )
}

function merged(id: string, added: ReadonlyMap<string, unknown>, own: Record<string, unknown>): Record<string, unknown> {
  const all = new Map(added)
  for (const [name, value] of Object.entries(own)) {
    if (value === null || value === '') all.delete(name)
    else all.set(name, value)
  }
  return checked(id, all)
}

function checked(what: string, parameters: ReadonlyMap<string, unknown>): Record<string, unknown> {
  if (parameters.size <= PARAMETERS_MAX) return Object.fromEntries(parameters)
  const error = `with what the job adds to its collection, ${what} would have ${parameters.size} parameters; at most ${PARAMETERS_MAX} are taken`
  throw HubError.of('request_validation_failed', { Error: error })
}

/** Each override must name a benchmark of the collection. */
function refuseStrangers(entries: readonly CollectionBenchmark[], overrides: readonly BenchmarkConfig[]) {
  const providers = new Set(entries.map((entry) => entry.provider_id))
  const benchmarks = new Set(entries.map((entry) => benchmarkKey(entry.provider_id, entry.id)))
  for (const { id, provider_id } of overrides) {
    if (!providers.has(provider_id)) throw HubError.of('resource_does_not_exist', { Type: 'provider', ResourceID: provider_id })
    if (!benchmarks.has(benchmarkKey(provider_id, id))) {
      throw HubError.of('resource_does_not_exist', { Type: 'benchmark', ResourceID: id })
    }
  }
}
