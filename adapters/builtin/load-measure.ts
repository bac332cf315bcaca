import type { MetricStatistics } from '#shared/models/benchmark-run.ts'
import type { Tokens } from './model-answer.ts'
import { mean, measureStatistics, percentile } from './statistics.ts'

/** One successful request. Times in milliseconds. */
export type Measured = { latencyMs: number; firstTokenMs?: number | undefined; lastTokenMs?: number | undefined; tokens: Tokens }

/** One level of load: what was sent, and how long it took from the first request to the last answer. */
export type LevelRecord = {
  concurrency: number
  rate?: number | undefined
  planned: number
  failed: number
  elapsedMs: number
  measured: Measured[]
}

export type LevelMetrics = { metrics: Record<string, number>; statistics: Record<string, MetricStatistics> }

/** Mean time between two output tokens; needs a token count from the endpoint and two tokens at least. */
function interTokenMs({ firstTokenMs, lastTokenMs, tokens: { output } }: Measured): number | undefined {
  if (firstTokenMs === undefined || lastTokenMs === undefined || output === undefined || output < 2) return undefined
  return (lastTokenMs - firstTokenMs) / (output - 1)
}

const present = (values: readonly (number | undefined)[]) => values.filter((value) => value !== undefined)

/** `<name>_mean`, `_p50`, `_p90`, `_p99`; nothing if nothing was measured. */
function distribution(name: string, values: readonly number[], counts: { planned: number; failed: number }): LevelMetrics {
  if (values.length === 0) return { metrics: {}, statistics: {} }
  const shares = { p50: 0.5, p90: 0.9, p99: 0.99 }
  const percentiles = Object.entries(shares).map(([label, share]) => [`${name}_${label}`, percentile(values, share)])
  return {
    metrics: { [`${name}_mean`]: mean(values), ...Object.fromEntries(percentiles) },
    statistics: { [`${name}_mean`]: measureStatistics(values, counts) },
  }
}

/** A rate needs the count of every request: a sum over those that say it would be too small. */
function tokenRate(name: string, counts: readonly (number | undefined)[], seconds: number): Record<string, number> {
  const known = present(counts)
  if (known.length === 0 || known.length < counts.length || seconds <= 0) return {}
  return { [name]: known.reduce((sum, count) => sum + count, 0) / seconds }
}

/** The numbers of one level. Rates count successful requests over the whole time of the level. */
export function levelMetrics({ planned, failed, elapsedMs, measured }: LevelRecord): LevelMetrics {
  const seconds = elapsedMs / 1000
  const counts = { planned, failed }
  const parts = [
    distribution('ttft_ms', present(measured.map(({ firstTokenMs }) => firstTokenMs)), counts),
    distribution('inter_token_latency_ms', present(measured.map(interTokenMs)), counts),
    distribution(
      'request_latency_ms',
      measured.map(({ latencyMs }) => latencyMs),
      counts,
    ),
    distribution('output_tokens', present(measured.map(({ tokens }) => tokens.output)), counts),
  ]
  const rates = {
    requests_per_s: seconds > 0 ? measured.length / seconds : 0,
    ...tokenRate(
      'input_tokens_per_s',
      measured.map(({ tokens }) => tokens.input),
      seconds,
    ),
    ...tokenRate(
      'output_tokens_per_s',
      measured.map(({ tokens }) => tokens.output),
      seconds,
    ),
  }
  return {
    metrics: Object.assign({}, rates, ...parts.map(({ metrics }) => metrics)),
    statistics: Object.assign({}, ...parts.map(({ statistics }) => statistics)),
  }
}

/** The level with the most requests a second; of equals the one with less load. */
export function bestLevel<Found extends { metrics: Record<string, number> }>(levels: readonly Found[]): Found | undefined {
  const rateOf = (level: Found) => level.metrics.requests_per_s ?? 0
  return levels.reduce<Found | undefined>((best, level) => (best === undefined || rateOf(level) > rateOf(best) ? level : best), undefined)
}
