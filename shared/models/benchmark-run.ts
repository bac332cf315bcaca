import { z } from 'zod'
import { Opaque } from './fields.ts'
import { Message } from './message.ts'
import { Phase, RunState } from './states.ts'

/** Kind of one metric's values; a metric without an entry is numeric. */
export const MetricSchema = z.object({
  name: z.string().min(1),
  type: z.enum(['numeric', 'categorical', 'array_ordered', 'array_unordered', 'time_series']),
})
export type MetricSchema = z.infer<typeof MetricSchema>

/** How reliable one number is. Kept below `additional_info.statistics`, by metric name. */
export const MetricStatistics = z.object({
  /** Items that the mean was taken over. */
  n: z.int().min(0),
  /** Standard error of the mean, in the metric's unit. Absent when `n` is below 2. */
  stderr: z.number().min(0).optional(),
  /** 95 % confidence interval, lower and upper end, in the metric's unit. */
  ci95: z.tuple([z.number(), z.number()]).optional(),
  /** Items that were to be evaluated. */
  planned: z.int().min(0),
  /** Items that have a score. */
  scored: z.int().min(0),
  /** Items without a score because of an error; never counted as wrong answers. */
  failed: z.int().min(0),
  /** What the metric would be if every failed item were wrong, and if every one were right. Absent for metrics that are not ratios. */
  bounds: z.tuple([z.number(), z.number()]).optional(),
})
export type MetricStatistics = z.infer<typeof MetricStatistics>

/** Where one benchmark of a job is. */
export const BenchmarkStatus = z.object({
  provider_id: z.string(),
  id: z.string(),
  benchmark_index: z.int(),
  status: RunState,
  phase: Phase.optional(),
  /** Share that is done, 0 to 1; absent until the adapter says it. */
  progress: z.number().optional(),
  error_message: Message.optional(),
  warning_message: Message.optional(),
  started_at: z.string().optional(),
  completed_at: z.string().optional(),
  /**
   * Parameters that the benchmark runs with: its own, or its collection's merged with what the job adds. In the answers to the submit and to GET of
   * one job; absent in lists, and where those of the job's benchmarks come to more than 32 KiB.
   */
  effective_parameters: Opaque.optional(),
})
export type BenchmarkStatus = z.infer<typeof BenchmarkStatus>

/** Verdict on one benchmark: its primary metric against its threshold. */
export const BenchmarkTest = z.object({
  primary_score: z.number(),
  primary_score_metric: z.string(),
  threshold: z.number(),
  pass: z.boolean(),
})
export type BenchmarkTest = z.infer<typeof BenchmarkTest>

/** What one benchmark came to; exists once its run has ended with an adapter's report. */
export const BenchmarkResult = z.object({
  id: z.string(),
  provider_id: z.string(),
  benchmark_index: z.int(),
  /** As the framework reports them: names verbatim, ratios from 0 to 1, standard errors as `<metric>_stderr`. */
  metrics: Opaque.optional(),
  metrics_schema: z.array(MetricSchema).optional(),
  /** The adapter's own; `statistics` holds a `MetricStatistics` a metric. */
  additional_info: Opaque.optional(),
  /** `{ uri, sha256, bytes }` by name, and what else the adapter names. */
  artifacts: Opaque.optional(),
  mlflow_run_id: z.string().optional(),
  logs_path: z.string().optional(),
  test: BenchmarkTest.optional(),
})
export type BenchmarkResult = z.infer<typeof BenchmarkResult>
