import { readFile } from 'node:fs/promises'
import type { JobSpec } from '#shared/models/job-spec.ts'
import type { AdapterHost, AdapterResult } from '#sdk/adapter.ts'
import type { DataPlaces } from './dataset.ts'
import type { Evaluated, Outcome } from './evaluate-items.ts'
import type { Endpoint } from './model-request.ts'
import type { Unknown } from './parameters.ts'
import { mean, scoreStatistics } from './statistics.ts'

/** One run of one benchmark: what the hub asked for, and where things are. */
export type BenchmarkRun = { spec: JobSpec; host: AdapterHost; places: DataPlaces; defaults: Record<string, unknown> }

type Patience = { concurrency: number; request_timeout_seconds: number; max_retries: number; seed: number }

const FIRST_BACKOFF_MS = 500

/** The model of a run, asked as its parameters say. */
export async function endpointOf({ spec, host }: BenchmarkRun, parameters: Patience): Promise<Endpoint> {
  const { apiKey, caCertPath } = host.credentials
  return {
    baseUrl: spec.model.url,
    model: spec.model.name,
    apiKey,
    ca: caCertPath && (await readFile(caCertPath, 'utf8')),
    extra: spec.model.parameters ?? {},
    maxConcurrency: parameters.concurrency,
    timeoutMs: parameters.request_timeout_seconds * 1000,
    maxRetries: parameters.max_retries,
    firstBackoffMs: FIRST_BACKOFF_MS,
    seed: parameters.seed,
  }
}

/** Says which parameters were given for nothing: a misspelt one must not pass for a setting. */
export function warnOfUnknown(host: AdapterHost, unknown: readonly Unknown[]): void {
  if (unknown.length === 0) return
  const told = unknown.slice(0, 20).map(({ name, nearest }) => (nearest === undefined ? name : `${name} (is ${nearest} meant?)`))
  const others = unknown.length - told.length
  const rest = others > 0 ? ` and ${others} others` : ''
  host.warn('unknown_parameter', `Parameters without meaning here, ignored: ${told.join(', ')}${rest}.`)
}

const valuesOf = (evaluated: readonly Evaluated[], metric: string) =>
  evaluated.flatMap(({ scores }) => (scores[metric] === undefined ? [] : [scores[metric]]))

/** Each metric as the mean over the items that have a score, with how sure it is. */
export function resultOf(
  { planned, failed, evaluated }: Outcome,
  metrics: readonly string[],
): Required<Pick<AdapterResult, 'metrics' | 'statistics'>> {
  const columns = metrics.map((metric) => [metric, valuesOf(evaluated, metric)] as const)
  return {
    metrics: Object.fromEntries(columns.filter(([, scores]) => scores.length > 0).map(([metric, scores]) => [metric, mean(scores)])),
    statistics: Object.fromEntries(columns.map(([metric, scores]) => [metric, scoreStatistics(scores, { planned, failed })])),
  }
}
