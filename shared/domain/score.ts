import type { BenchmarkTest } from '../models/benchmark-run.ts'
import type { AggregateTest } from '../models/evaluation.ts'
import { float32 } from '../models/fields.ts'
import type { Message } from '../models/message.ts'
import type { RunSpec } from './run-spec.ts'

type Metrics = Readonly<Record<string, unknown>>

/**
 * The value of a primary metric among those that a framework reported.
 *
 * Names are matched as they are; failing that `<anything>.<metric>` and `<metric>,<filter>`, as
 * LightEval and lm-evaluation-harness write them, if exactly one fits. Only numbers count.
 */
export function findMetric(metrics: Metrics, name: string): number | undefined {
  const exact = Object.hasOwn(metrics, name) ? metrics[name] : undefined
  if (exact !== undefined) return typeof exact === 'number' ? exact : undefined
  const fits = (key: string) => key.endsWith(`.${name}`) || key.startsWith(`${name},`)
  const values = Object.entries(metrics).filter(([key, value]) => fits(key) && typeof value === 'number')
  const [only] = values
  // The filter above has kept numbers only.
  return values.length === 1 && only ? (only[1] as number) : undefined
}

/** The verdict on one benchmark. Undefined without a primary metric, its value or a threshold. 32-bit floats, as on the wire. */
export function testFor(spec: Pick<RunSpec, 'primary_score' | 'threshold'>, metrics: Metrics | undefined): BenchmarkTest | undefined {
  const { primary_score: primary, threshold } = spec
  if (!primary || !threshold || !metrics) return undefined
  const value = findMetric(metrics, primary.metric)
  if (value === undefined) return undefined
  const score = float32(value)
  const pass = primary.lower_is_better ? score <= threshold.value : score >= threshold.value
  return { primary_score: score, primary_score_metric: primary.metric, threshold: threshold.value, pass }
}

/** What the user is told when a benchmark was to be judged by a metric that its framework did not report. */
export function missingMetric(spec: Pick<RunSpec, 'primary_score'>, metrics: Metrics | undefined): Message | undefined {
  const metric = spec.primary_score?.metric
  if (metric === undefined || findMetric(metrics ?? {}, metric) !== undefined) return undefined
  const reported =
    Object.keys(metrics ?? {})
      .slice(0, 20)
      .join(', ') || 'none'
  return {
    message: `The primary metric '${metric}' is not among the numbers that the adapter reported (${reported}), so the benchmark was not judged.`,
    message_code: 'primary_metric_missing',
    message_origin: 'server',
  }
}

type Scored = { spec: Pick<RunSpec, 'weight' | 'primary_score'>; test: BenchmarkTest | null }

/**
 * The job's score: the weighted mean of its benchmarks' primary scores, where lower is better as 1 − x.
 *
 * A value outside 0 to 1 is no ratio and is left out, like a benchmark without a test. Undefined if none is left.
 */
export function aggregate(runs: readonly Scored[], threshold: number): AggregateTest | undefined {
  const parts = runs.flatMap(({ spec, test }) => {
    if (!test || test.primary_score < 0 || test.primary_score > 1) return []
    const value = spec.primary_score?.lower_is_better ? 1 - test.primary_score : test.primary_score
    return [{ weight: spec.weight, value }]
  })
  const weight = parts.reduce((sum, part) => sum + part.weight, 0)
  if (weight === 0) return undefined
  const score = float32(parts.reduce((sum, part) => sum + part.weight * part.value, 0) / weight)
  return { score, threshold, pass: score >= threshold }
}
