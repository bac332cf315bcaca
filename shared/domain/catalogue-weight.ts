import { HubError } from '../errors.ts'
import type { CollectionConfig } from '../models/collection.ts'
import type { ProviderConfig } from '../models/provider.ts'
import { weightOf } from './weight.ts'

const MIB = 1024 * 1024

/** What a provider or collection of a tenant may weigh (`weight.ts`). */
const MAX = 8 * MIB
/** What the page of its provider adds to a benchmark of a collection. */
const PAGE = 2304

/** Refuses a provider that weighs more than is kept. */
export function refuseHeavyProvider(config: ProviderConfig): void {
  refuse('provider', weightOf(config), 'Split its benchmarks among several providers, or shorten what is said of them')
}

/** Refuses a collection that weighs more than is kept. */
export function refuseHeavyCollection(config: CollectionConfig): void {
  const weight = weightOf(config) + PAGE * config.benchmarks.length
  refuse('collection', weight, 'Split its benchmarks among several collections, or shorten what is given with them')
}

function refuse(what: string, weight: number, advice: string): void {
  if (weight <= MAX) return
  const counted = 'with 64 bytes for each list, object and member and 16 for each item'
  throw HubError.of('request_validation_failed', {
    Error: `${counted} the ${what} comes to ${(weight / MIB).toFixed(1)} MiB; at most ${MAX / MIB} MiB are kept. ${advice}`,
  })
}
