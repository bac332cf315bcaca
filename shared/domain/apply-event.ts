import type { BenchmarkTest, MetricSchema } from '../models/benchmark-run.ts'
import type { BenchmarkStatusEvent } from '../models/event.ts'
import type { Message } from '../models/message.ts'
import { isTerminal, PHASES, type Phase, type RunState } from '../models/states.ts'
import type { JudgedSpec } from './run-spec.ts'
import { missingMetric, testFor } from './score.ts'

/** What of a run an event can change. */
export type RunProgress = {
  state: RunState
  phase: Phase | null
  progress: number | null
  error_message: Message | null
  warning_message: Message | null
  /** RFC 3339. */
  started_at: string | null
  /** RFC 3339. */
  completed_at: string | null
  test: BenchmarkTest | null
  resolved_sha: string | null
}

/** What a run has once it has ended, and never before. */
export type RunResult = {
  metrics: Record<string, unknown> | null
  metrics_schema: MetricSchema[] | null
  additional_info: Record<string, unknown> | null
  artifacts: Record<string, unknown> | null
  mlflow_run_id: string | null
  logs_path: string | null
}

/**
 * The run after `event`, or undefined if the event changes nothing: a run that has ended stays as it ended.
 *
 * Events may come late, twice or out of order: a state and a phase never go back, `started_at` is never lost. `now` is RFC 3339 and stands
 * in for times that the adapter did not say. The result is judged here, by the snapshot taken at submit.
 */
export function applyEvent(
  run: RunProgress & { spec: JudgedSpec },
  event: BenchmarkStatusEvent,
  now: string,
): (RunProgress & RunResult) | undefined {
  if (isTerminal(run.state)) return undefined
  const ended = event.status === 'completed' || event.status === 'failed'
  const started = event.status !== 'pending' || run.state === 'running'
  const missing = event.status === 'completed' ? missingMetric(run.spec, event.metrics) : undefined
  return {
    state: ended ? event.status : started ? 'running' : 'pending',
    phase: laterPhase(run.phase, event.phase),
    progress: event.status === 'completed' ? 1 : (event.progress ?? run.progress),
    error_message: keptMessage(event.error_message) ?? run.error_message,
    warning_message: afterLaunch(run.warning_message, both(keptMessage(event.warning_message), keptMessage(missing))),
    started_at: run.started_at ?? event.started_at ?? (started ? now : null),
    completed_at: ended ? (event.completed_at ?? now) : null,
    ...(ended ? resultOf(run.spec, event) : NO_RESULT),
    resolved_sha: run.resolved_sha ?? shaOf(run.spec, event),
  }
}

const NO_RESULT = {
  metrics: null,
  metrics_schema: null,
  additional_info: null,
  artifacts: null,
  test: null,
  mlflow_run_id: null,
  logs_path: null,
}

function resultOf(spec: JudgedSpec, event: BenchmarkStatusEvent) {
  return {
    metrics: event.metrics ?? null,
    metrics_schema: event.metrics_schema ?? null,
    additional_info: event.additional_info ?? null,
    artifacts: event.artifacts ?? null,
    test: testFor(spec, event.metrics) ?? null,
    mlflow_run_id: event.mlflow_run_id ?? null,
    logs_path: event.logs_path ?? null,
  }
}

/** Those that the published Python client knows: it cannot read a job with any other. */
const ORIGINS = new Set(['server', 'runtime', 'adapter', 'sdk'])

/** Every look at a job has the messages of all its runs. */
const MAX_MESSAGE_CHARACTERS = 16 * 1024

/**
 * A message of an adapter as it is kept: one that does not say who speaks, or says it in a word of its own, is the runtime's, and of a long one
 * only the beginning is kept, which says so.
 */
export function keptMessage(message: Message | undefined): Message | undefined {
  if (!message) return undefined
  const { message: text, message_code: code, message_origin: origin = '' } = message
  return { message: beginning(text), message_code: beginning(code), message_origin: ORIGINS.has(origin) ? origin : 'runtime' }
}

/** The adapter's warning and ours: neither takes the other's place. */
const both = (said: Message | undefined, ours: Message | undefined): Message | undefined =>
  said && ours ? { ...said, message: `${said.message}\n${ours.message}`, message_code: 'several_warnings' } : (said ?? ours)

/** Code of what the bridge said of a run when it launched it. */
export const LAUNCH_WARNING = 'launch_warning'

/** What was said at the launch, a line, stays; what is said since replaces what was said before it. */
function afterLaunch(before: Message | null, said: Message | undefined): Message | null {
  if (!said || before?.message_code !== LAUNCH_WARNING) return said ?? before
  return { ...before, message: `${before.message.split('\n', 1)[0]}\n${said.message}` }
}

// Half a pair, where the cut goes through one, could not be stored.
const beginning = (text: string) =>
  text.length <= MAX_MESSAGE_CHARACTERS ? text : `${text.slice(0, MAX_MESSAGE_CHARACTERS).toWellFormed()} [cut off by EvalHub]`

/** Of two phases the one that a run passes through later. */
export function laterPhase(now: Phase | null, said: Phase | null | undefined): Phase | null {
  if (!said) return now
  return now !== null && PHASES.indexOf(said) < PHASES.indexOf(now) ? now : said
}

function shaOf(spec: JudgedSpec, event: BenchmarkStatusEvent): string | null {
  const sha = event.job_meta?.resolved_sha
  return sha !== undefined && spec.test_data_ref && /^[0-9a-f]{7,40}$/i.test(sha) ? sha : null
}
