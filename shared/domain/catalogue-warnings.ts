import type { CollectionFile } from '../models/collection.ts'
import type { PassCriteria, PrimaryScore } from '../models/fields.ts'
import type { BenchmarkResource, ProviderFile } from '../models/provider.ts'

type Files = { providers: readonly ProviderFile[]; collections: readonly CollectionFile[] }

/**
 * What in a catalogue is most likely not meant, a sentence each. All of it is served and applied as written.
 *
 * A collection may name what does not exist: submitting it is refused then. A share (accuracy, success rate) and the score of a job run from
 * 0 to 1, so a threshold above 1 lets nothing pass, or everything.
 */
export function catalogueWarnings({ providers, collections }: Files): string[] {
  const benchmarks = new Map(providers.map((provider) => [provider.id, benchmarksById(provider)]))
  return [
    ...providers.flatMap((provider) => [
      ...doublesOf(provider),
      ...(provider.benchmarks ?? []).flatMap((one) => scaleOf(provider.id, one)),
    ]),
    ...collections.flatMap((collection) => collectionWarnings(collection, benchmarks)),
  ]
}

/** Of several with one id the first counts. */
function benchmarksById({ benchmarks = [] }: ProviderFile): Map<string, BenchmarkResource> {
  return new Map(benchmarks.toReversed().map((benchmark) => [benchmark.id, benchmark]))
}

function doublesOf({ id, benchmarks = [] }: ProviderFile): string[] {
  const byId = Map.groupBy(benchmarks, (benchmark) => benchmark.id)
  const doubles = [...byId].filter(([, alike]) => alike.length > 1)
  return doubles.map(([one]) => `Provider ${id} has more than one benchmark ${one}: the first counts`)
}

type Judged = { id: string; primary_score?: PrimaryScore | undefined; pass_criteria?: PassCriteria | undefined }

function scaleOf(place: string, { id, primary_score: primary, pass_criteria: criteria }: Judged): string[] {
  if (!primary || !criteria || criteria.threshold <= 1 || !isShare(primary.metric)) return []
  return [`${place}: ${id} has the threshold ${criteria.threshold}, but ${primary.metric} runs from 0 to 1`]
}

const SHARES = new Set([
  'acc',
  'accuracy',
  'auc',
  'em',
  'exact',
  'extractive',
  'f1',
  'faithfulness',
  'mc1',
  'mc2',
  'pass',
  'precision',
  'recall',
])

/** By its name, as the frameworks of the shipped catalogue use them; in doubt false. */
const isShare = (metric: string): boolean =>
  /(success|error|failure|pass|win|refusal)_rate/.test(metric) ||
  metric
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .some((word) => SHARES.has(word))

function collectionWarnings(
  { id, pass_criteria: criteria, benchmarks }: CollectionFile,
  known: ReadonlyMap<string, ReadonlyMap<string, BenchmarkResource>>,
): string[] {
  const place = `Collection ${id}`
  return [
    ...(criteria && criteria.threshold > 1
      ? [`${place} has the threshold ${criteria.threshold}, but the score of a job runs from 0 to 1`]
      : []),
    ...benchmarks.flatMap((entry) => {
      const provider = known.get(entry.provider_id)
      if (!provider) return [`${place} names the provider ${entry.provider_id}, which does not exist: it cannot be submitted`]
      const own = provider.get(entry.id)
      if (!own) return [`${place} names the benchmark ${entry.id}, which ${entry.provider_id} does not have: it cannot be submitted`]
      const judged = { ...entry, primary_score: entry.primary_score ?? own.primary_score }
      return [...scaleOf(place, judged), ...directionOf(place, entry, own)]
    }),
  ]
}

/** Of one metric, a smaller value is better either way or neither. */
function directionOf(place: string, { id, primary_score: entry }: Judged, { primary_score: own }: BenchmarkResource): string[] {
  if (!entry || entry.metric !== own?.metric || Boolean(entry.lower_is_better) === Boolean(own.lower_is_better)) return []
  return [`${place}: of ${id}, ${entry.metric} is ${wayOf(entry)}; its provider says ${wayOf(own)}`]
}

const wayOf = ({ lower_is_better: isLower }: PrimaryScore) => (isLower ? 'better when lower' : 'better when higher')
