import { HubError } from '../errors.ts'
import type { CollectionConfig } from '../models/collection.ts'
import type { ProviderConfig } from '../models/provider.ts'
import { footprintOf } from './footprint.ts'

const MIB = 1024 * 1024

/** Footprint of a provider or collection of a tenant at most. */
const MAX = 8 * MIB
/** What the page of its provider adds to a benchmark of a collection. */
const PAGE = 2304

/** Refuses a provider whose footprint is more than is kept. */
export function refuseLargeProvider(config: ProviderConfig): void {
  refuse('provider', footprintOf(config), 'Split its benchmarks among several providers, or shorten what is said of them')
}

/** Refuses a collection whose footprint is more than is kept. */
export function refuseLargeCollection(config: CollectionConfig): void {
  const footprint = footprintOf(config) + PAGE * config.benchmarks.length
  refuse('collection', footprint, 'Split its benchmarks among several collections, or shorten what is given with them')
}

function refuse(what: string, footprint: number, advice: string): void {
  if (footprint <= MAX) return
  const counted = 'with 64 bytes for each list, object and member and 16 for each item'
  throw HubError.of('request_validation_failed', {
    Error: `${counted} the ${what} comes to ${(footprint / MIB).toFixed(1)} MiB; at most ${MAX / MIB} MiB are kept. ${advice}`,
  })
}
