import { HubError } from '../errors.ts'
import type { MetricSchema } from '../models/benchmark-run.ts'
import type { EvaluationJobConfig } from '../models/evaluation.ts'
import type { BenchmarkStatusEvent } from '../models/event.ts'
import type { Message } from '../models/message.ts'
import { weightOf } from './weight.ts'

/**
 * What a job's answer weighs at most (`weight.ts`). It is kept with the job, and rises under the job's lock, so that who reads a job knows
 * what it will take before it is read.
 */

const MIB = 1024 * 1024

/** A request, with what its runs have before they have results. */
const REQUEST_MAX = 12 * MIB
/** What one run may add, */
const RUN_MAX = 8 * MIB
/** and where a job ends with all of it. */
const JOB_MAX = 20 * MIB
/** For messages of runs whose results were refused. */
const MESSAGES_MAX = 4 * MIB

/** A run's place in an answer: names, state, times and verdict, and messages that are short. */
const RUN_WEIGHT = 3 * 1024

/** A message up to this has room in `RUN_WEIGHT`. */
const SHORT_MESSAGE = 1024

type Messages = { error_message?: Message | null | undefined; warning_message?: Message | null | undefined }

type Results = {
  metrics?: Record<string, unknown> | null | undefined
  metrics_schema?: MetricSchema[] | null | undefined
  additional_info?: Record<string, unknown> | null | undefined
  artifacts?: Record<string, unknown> | null | undefined
  mlflow_run_id?: string | null | undefined
  logs_path?: string | null | undefined
}

/** The weight of a new job. Refuses a request that weighs more than a job may. */
export function newJobWeight(request: EvaluationJobConfig, runs: number): number {
  const weight = weightOf(request) + runs * RUN_WEIGHT
  if (weight <= REQUEST_MAX) return weight
  const what = `the job has ${runs} benchmarks and, with a place for the state of each, comes to ${mib(weight)}`
  throw HubError.of('request_validation_failed', {
    Error: `${what}; at most ${mib(REQUEST_MAX)} are kept. Name fewer benchmarks in one job, or shorten what is given with them`,
  })
}

/** What a run adds to its job's weight beyond its place. */
export const runWeight = (run: Messages & Results): number => messagesWeight(run) + resultsWeight(run)

/** Whether a report's messages are so short that they add nothing. */
export const isShort = (report: Messages): boolean => messagesWeight(report) === 0

function messagesWeight({ error_message: error, warning_message: warning }: Messages): number {
  const [first, second] = [error ? weightOf(error) : 0, warning ? weightOf(warning) : 0]
  return (first > SHORT_MESSAGE ? first : 0) + (second > SHORT_MESSAGE ? second : 0)
}

function resultsWeight({ metrics, metrics_schema, additional_info, artifacts, mlflow_run_id, logs_path }: Results): number {
  let weight = 0
  for (const part of [metrics, metrics_schema, additional_info, artifacts, mlflow_run_id, logs_path]) if (part) weight += weightOf(part)
  // An answer names the type of each metric, also of those that the adapter did not.
  for (const name of Object.keys(metrics ?? {})) weight += weightOf({ name, type: 'numeric' })
  return weight
}

type Change = { jobWeight: number; before: Messages; after: Messages & Results; benchmarkIndex: number }

/** Why a run may not become what it shall; undefined if it may. */
export function tooHeavy({ jobWeight, before, after, benchmarkIndex }: Change): string | undefined {
  const added = runWeight(after)
  const what = `the results and messages of benchmark ${benchmarkIndex} come to ${mib(added)}`
  const advice = 'Report less in metrics, additional_info and artifacts, and keep what is long in a file or an OCI artifact'
  if (added > RUN_MAX) return `${what}; at most ${mib(RUN_MAX)} of a run are kept. ${advice}`
  const taken = jobWeight - runWeight(before)
  const max = resultsWeight(after) > 0 ? JOB_MAX : JOB_MAX + MESSAGES_MAX
  if (added === 0 || taken + added <= max) return undefined
  return `${what}; its job has ${mib(taken)} already, and at most ${mib(JOB_MAX)} of a job are kept. ${advice}`
}

/** The report without its results, which says that and why they were not kept. */
export function withoutResults({ provider_id, id, benchmark_index, status, ...event }: BenchmarkStatusEvent, why: string): BenchmarkStatusEvent {
  const { phase, progress, error_message, started_at, completed_at, job_meta } = event
  const warning_message = { message: `Its results were not kept: ${why}.`, message_code: 'report_refused', message_origin: 'server' }
  return {
    ...{ provider_id, id, benchmark_index, status, phase, progress, started_at, completed_at, job_meta, warning_message },
    ...(error_message && { error_message }),
  }
}

/** Weights are told as what they are: bytes, with 64 for each list, object and member and 16 for each item. */
const mib = (weight: number) => `${(weight / MIB).toFixed(1)} MiB`
