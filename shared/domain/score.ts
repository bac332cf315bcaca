import type { BenchmarkTest } from '../models/benchmark-run.ts'
import type { AggregateTest, LeftOut } from '../models/evaluation.ts'
import { float32 } from '../models/fields.ts'
import type { Message } from '../models/message.ts'
import type { RunSpec } from './run-spec.ts'

type Metrics = Readonly<Record<string, unknown>>

/**
 * The value of a benchmark's primary metric among those that a framework reported. Only numbers count; docs/scoring.md has the rules.
 *
 * The name as it is decides. Failing that LightEval's `<task>.<metric>` and lm-evaluation-harness's `<metric>,<filter>` stand for it: that of
 * the benchmark itself or of no filter, else the only one there is, else that of LightEval's pseudo-task `all`, the mean of all tasks.
 */
export function findMetric(metrics: Metrics, name: string, benchmarkId: string): number | undefined {
  if (Object.hasOwn(metrics, name)) return numberAt(metrics, name)
  const own = [`${benchmarkId}.${name}`, `${name},none`, `${benchmarkId}.${name},none`]
  const fits = (key: string) => isNamed(key, name) || isNamed(key.slice(0, key.lastIndexOf(',')), name)
  const others = Object.keys(metrics).filter((key) => fits(key) && numberAt(metrics, key) !== undefined)
  const ofTasks = others.filter((key) => !key.startsWith('all.'))
  const best = own.find((key) => others.includes(key)) ?? (ofTasks.length === 1 ? ofTasks[0] : `all.${name}`)
  return best === undefined ? undefined : numberAt(metrics, best)
}

const isNamed = (key: string, name: string) => key === name || key.endsWith(`.${name}`)

function numberAt(metrics: Metrics, key: string): number | undefined {
  const value = Object.hasOwn(metrics, key) ? metrics[key] : undefined
  return typeof value === 'number' ? value : undefined
}

type Judged = Pick<RunSpec, 'benchmark_id' | 'primary_score' | 'threshold'>

/** The verdict on one benchmark. Undefined without a primary metric, its value or a threshold. 32-bit floats, as on the wire. */
export function testFor(spec: Judged, metrics: Metrics | undefined): BenchmarkTest | undefined {
  const { primary_score: primary, threshold } = spec
  if (!primary || !threshold || !metrics) return undefined
  const value = findMetric(metrics, primary.metric, spec.benchmark_id)
  if (value === undefined) return undefined
  const score = float32(value)
  const pass = primary.lower_is_better ? score <= threshold.value : score >= threshold.value
  return { primary_score: score, primary_score_metric: primary.metric, threshold: threshold.value, pass }
}

/** What the user is told when a benchmark was to be judged by a metric that its framework did not report. */
export function missingMetric(spec: Omit<Judged, 'threshold'>, metrics: Metrics | undefined): Message | undefined {
  const metric = spec.primary_score?.metric
  if (metric === undefined || findMetric(metrics ?? {}, metric, spec.benchmark_id) !== undefined) return undefined
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
 * A value outside 0 to 1 is no ratio and is left out, like a benchmark without a test: `leftOut` says why. Undefined if none is left.
 */
export function aggregate(runs: readonly Scored[], threshold: number): AggregateTest | undefined {
  const parts = runs.flatMap(({ spec, test }) => {
    if (!test || !isRatio(test.primary_score)) return []
    const value = spec.primary_score?.lower_is_better ? 1 - test.primary_score : test.primary_score
    return [{ weight: spec.weight, value }]
  })
  const weight = parts.reduce((sum, part) => sum + part.weight, 0)
  if (weight === 0) return undefined
  const score = float32(parts.reduce((sum, part) => sum + part.weight * part.value, 0) / weight)
  return { score, threshold, pass: score >= threshold }
}

const isRatio = (value: number) => value >= 0 && value <= 1

type Reported = {
  provider_id: string
  benchmark_id: string
  benchmark_index: number
  /** Null: it has none. */
  primary_metric: string | null
  metrics: Metrics | null
  test: BenchmarkTest | null
}

/** The benchmarks of a completed job that do not count in its score, each with the reason. */
export function leftOut(runs: readonly Reported[]): LeftOut[] {
  return runs.flatMap((run) => {
    const reason = whyLeftOut(run)
    return reason ? [{ provider_id: run.provider_id, id: run.benchmark_id, benchmark_index: run.benchmark_index, ...reason }] : []
  })
}

function whyLeftOut({
  benchmark_id: id,
  primary_metric: metric,
  metrics,
  test,
}: Reported): Pick<LeftOut, 'message' | 'message_code'> | undefined {
  if (test && isRatio(test.primary_score)) return undefined
  if (test) {
    const message = `Its primary metric '${test.primary_score_metric}' is ${test.primary_score}, which is no ratio from 0 to 1.`
    return { message, message_code: 'not_a_ratio' }
  }
  if (metric === null) return { message: 'It has no primary metric.', message_code: 'no_primary_metric' }
  if (findMetric(metrics ?? {}, metric, id) !== undefined) return { message: 'It has no threshold.', message_code: 'no_threshold' }
  return { message: `Its primary metric '${metric}' was not reported.`, message_code: 'primary_metric_missing' }
}
