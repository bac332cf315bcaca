import { HubError } from '../errors.ts'
import type { MetricSchema } from '../models/benchmark-run.ts'
import type { EvaluationJobConfig } from '../models/evaluation.ts'
import type { BenchmarkStatusEvent } from '../models/event.ts'
import type { Message } from '../models/message.ts'
import { footprintOf } from './footprint.ts'
import type { RunSpec } from './run-spec.ts'

/**
 * The footprint (`footprint.ts`) that a job's answer has at most. It is kept with the job, and rises under the job's lock, so that who reads a
 * job knows what it will take before it is read.
 */

const MIB = 1024 * 1024

/** Its request. */
const REQUEST_MAX = 12 * MIB
/** What one run may add, */
const RUN_MAX = 8 * MIB
/** and where a job ends with all of it; the places of its runs are not counted here. */
const JOB_MAX = 20 * MIB
/** For messages of runs whose results were refused. */
const MESSAGES_MAX = 4 * MIB

/** A run's place in an answer: names, state, times and verdict, and messages that are short. */
const RUN_FOOTPRINT = 3 * 1024

/** A message up to this has room in `RUN_FOOTPRINT`. */
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

/** The footprint of a new job. Refuses a request that has more than a job may. */
export function newJobFootprint(request: EvaluationJobConfig, runs: number): number {
  const footprint = footprintOf(request)
  if (footprint > REQUEST_MAX) {
    throw HubError.of('request_validation_failed', {
      Error: `the job comes to ${mib(footprint)}; at most ${mib(REQUEST_MAX)} are kept. Shorten what is given with its benchmarks, or name fewer`,
    })
  }
  return footprint + runs * RUN_FOOTPRINT
}

/** What the remarks on its request add to the footprint of a new job. */
export const remarksFootprint = (specs: readonly Pick<RunSpec, 'remarks'>[]): number =>
  specs.reduce((sum, { remarks }) => sum + (remarks ? footprintOf(remarks) : 0), 0)

/** What a run adds to its job's footprint beyond its place. */
export const runFootprint = (run: Messages & Results): number => messagesFootprint(run) + resultsFootprint(run)

/** Whether a report's messages are so short that they add nothing. */
export const isShort = (report: Messages): boolean => messagesFootprint(report) === 0

function messagesFootprint({ error_message: error, warning_message: warning }: Messages): number {
  const [first, second] = [error ? footprintOf(error) : 0, warning ? footprintOf(warning) : 0]
  return (first > SHORT_MESSAGE ? first : 0) + (second > SHORT_MESSAGE ? second : 0)
}

function resultsFootprint({ metrics, metrics_schema, additional_info, artifacts, mlflow_run_id, logs_path }: Results): number {
  let footprint = 0
  for (const part of [metrics, metrics_schema, additional_info, artifacts, mlflow_run_id, logs_path])
    if (part) footprint += footprintOf(part)
  // An answer names the type of each metric, also of those that the adapter did not.
  for (const name of Object.keys(metrics ?? {})) footprint += footprintOf({ name, type: 'numeric' })
  return footprint
}

type Change = {
  /** The job as it is: its footprint, and how many runs it has. */
  job: { footprint: number; runs: number }
  before: Messages
  after: Messages & Results
  benchmarkIndex: number
}

/** Why a run may not become what it shall; undefined if it may. */
export function tooLarge({ job, before, after, benchmarkIndex }: Change): string | undefined {
  const added = runFootprint(after)
  const what = `the results and messages of benchmark ${benchmarkIndex} come to ${mib(added)}`
  const advice = 'Report less in metrics, additional_info and artifacts, and keep what is long in a file or an OCI artifact'
  if (added > RUN_MAX) return `${what}; at most ${mib(RUN_MAX)} of a run are kept. ${advice}`
  const taken = job.footprint - job.runs * RUN_FOOTPRINT - runFootprint(before)
  const max = resultsFootprint(after) > 0 ? JOB_MAX : JOB_MAX + MESSAGES_MAX
  if (added === 0 || taken + added <= max) return undefined
  return `${what}; its job has ${mib(taken)} already, and at most ${mib(JOB_MAX)} of a job are kept. ${advice}`
}

/** The report without its results, which says that and why they were not kept. */
export function withoutResults(event: BenchmarkStatusEvent, why: string): BenchmarkStatusEvent {
  const warning_message = { message: `Its results were not kept: ${why}.`, message_code: 'report_refused', message_origin: 'server' }
  const { metrics: _m, metrics_schema: _s, additional_info: _i, artifacts: _a, mlflow_run_id: _r, logs_path: _l, ...rest } = event
  return { ...rest, warning_message }
}

/** Told as what it is: bytes, with 64 for each list, object and member and 16 for each item. */
const mib = (footprint: number) => `${(footprint / MIB).toFixed(1)} MiB`
