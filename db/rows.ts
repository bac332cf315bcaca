import { remarksMessage } from '#shared/domain/request-remarks.ts'
import { effectiveParameters, withResolvedShas } from '#shared/domain/resolved-request.ts'
import type { RunSpec } from '#shared/domain/run-spec.ts'
import { leftOut } from '#shared/domain/score.ts'
import type { BenchmarkResult, BenchmarkStatus } from '#shared/models/benchmark-run.ts'
import { waitingMessage } from '#shared/domain/waiting.ts'
import type { EvaluationJob } from '#shared/models/evaluation.ts'
import type { Message } from '#shared/models/message.ts'
import type { evaluations, runs } from './schema.ts'

/** `benchmarkIndex` → `benchmark_index`: the name of a column by the name that drizzle gives it. */
type Column<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Uppercase<First> ? (First extends Lowercase<First> ? '' : '_') : ''}${Lowercase<First>}${Column<Rest>}`
  : ''

/** A row as PostgreSQL answers it. Times are text: every statement reads them through `to_json`. */
export type Row<Table> = {
  [Key in keyof Table & string as Column<Key>]: Table[Key] extends Date
    ? string
    : Table[Key] extends Date | null
      ? string | null
      : Table[Key]
}

export type EvaluationRow = Row<typeof evaluations.$inferSelect>
export type RunRow = Row<typeof runs.$inferSelect>

/** What a job's answer is made of. */
export type JobRow = Pick<
  EvaluationRow,
  | 'id'
  | 'tenant'
  | 'owner'
  | 'state'
  | 'message'
  | 'request'
  | 'created_at'
  | 'updated_at'
  | 'score'
  | 'passed'
  | 'aggregate_threshold'
  | 'collection_updated_at'
> & {
  runs: JobRun[]
  age_seconds: number
  /** Null if no bridge was ever at work. */
  bridge_seen_seconds_ago: number | null
}

/** A run as a job's answer shows it. */
type JobRun = Omit<RunRow, 'spec' | 'evaluation_id' | 'attempt' | 'updated_at' | 'finished_at' | 'settled_at'> & {
  /** Null: it has none. */
  primary_metric: string | null
  /** Read only where the job's collection is to be shown as it was understood. */
  spec: RunSpec | null
  /** Null: there are none. */
  remarks: string[] | null
  /** Absent or null: they are not to be shown. */
  parameters?: RunSpec['parameters'] | null
  num_examples?: number | null
}

/** `value` without the members that are null: the wire omits what is not there. */
type Present<Members> = { [Key in keyof Members]?: NonNullable<Members[Key]> }

export function present<Members extends object>(members: Members): Present<Members> {
  // Object.entries forgets which key goes with which type; nothing but nulls is taken away.
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null && value !== undefined)) as Present<Members>
}

/** A job as every route answers it. */
export function toJob(row: JobRow): EvaluationJob {
  const request = withResolvedShas(row.request, row.runs)
  return {
    resource: {
      id: row.id,
      ...(row.tenant && { tenant: row.tenant }),
      created_at: row.created_at,
      updated_at: row.updated_at,
      ...(row.owner && { owner: row.owner }),
    },
    status: { state: row.state, message: row.message, benchmarks: row.runs.map((run) => toStatus(run, row)) },
    results: toResults(row),
    ...request,
    ...(request.collection &&
      row.collection_updated_at && { collection: { ...request.collection, collection_updated_at: row.collection_updated_at } }),
  }
}

function toStatus(run: JobRun, { age_seconds: ageSeconds, bridge_seen_seconds_ago }: JobRow): BenchmarkStatus {
  const { phase, progress, error_message, started_at, completed_at } = run
  const waiting = { waiting: run.waiting, ageSeconds, bridgeSeenSecondsAgo: bridge_seen_seconds_ago }
  const why = run.state === 'pending' ? waitingMessage(waiting) : undefined
  const warning_message = together([why, run.remarks ? remarksMessage(run.remarks) : undefined, run.warning_message])
  return {
    provider_id: run.provider_id,
    id: run.benchmark_id,
    benchmark_index: run.benchmark_index,
    status: run.state,
    ...present({ phase, progress, error_message, warning_message, started_at, completed_at }),
    ...(run.parameters && {
      effective_parameters: effectiveParameters({ parameters: run.parameters, ...present({ num_examples: run.num_examples }) }),
    }),
  }
}

/** Messages as one, each on lines of its own, under the code of the first; undefined without any. */
function together(messages: readonly (Message | null | undefined)[]): Message | undefined {
  const said = messages.filter((message) => message !== null && message !== undefined)
  const [first] = said
  return first && { ...first, message: said.map(({ message }) => message).join('\n') }
}

function toResults({ runs, score, passed, aggregate_threshold: threshold }: JobRow): EvaluationJob['results'] {
  const reported = runs.filter(({ state }) => state === 'completed' || state === 'failed')
  const left_out = score === null ? [] : leftOut(runs)
  return {
    ...(score !== null && passed !== null && { test: { score, threshold, pass: passed, ...(left_out.length > 0 && { left_out }) } }),
    ...(reported.length > 0 && { benchmarks: reported.map(toResult) }),
  }
}

function toResult(run: JobRun): BenchmarkResult {
  const { metrics, additional_info, artifacts, mlflow_run_id, logs_path, test } = run
  return {
    id: run.benchmark_id,
    provider_id: run.provider_id,
    benchmark_index: run.benchmark_index,
    ...present({ metrics, metrics_schema: metricsSchema(run), additional_info, artifacts, mlflow_run_id, logs_path, test }),
  }
}

/** The adapter's schema; metrics that it leaves out are numeric. */
function metricsSchema({ metrics, metrics_schema: said }: JobRun): BenchmarkResult['metrics_schema'] | null {
  const named = new Set(said?.map(({ name }) => name))
  const others = Object.keys(metrics ?? {}).filter((name) => !named.has(name))
  const all = [...(said ?? []), ...others.map((name) => ({ name, type: 'numeric' as const }))]
  return all.length > 0 ? all : null
}
