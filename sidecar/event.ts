import { isPlainObject, parseJson, spelled } from '#shared/decode.ts'
import { MODEL_USAGE, withoutModelUsage } from '#shared/domain/model-usage.ts'
import { HubError } from '#shared/errors.ts'
import type { SidecarSettings } from './config.ts'
import { EVENT_NAMES } from './event-names.ts'
import type { ModelUsage } from './usage.ts'

/** What decides whether one event replaces another. `fields`: the names of those that it has. */
export type Outline = { isTerminal: boolean; fields: readonly string[] }

/** An event of this run as the hub reads it: each name once and in the hub's spelling, no null and no other name. */
export type SidecarEvent = Outline & { event: Record<string, unknown> }

const EVENT = 'benchmark_status_event'

/** Refuses what is no event, and events of other runs. Whether its fields are right is for the hub to say. */
export function readEvent(text: string, run: SidecarSettings['run']): SidecarEvent {
  const body = spelled(EVENT_NAMES, parseJson(text))
  const event = isPlainObject(body) ? body[EVENT] : undefined
  if (!isPlainObject(event)) throw refused(`${EVENT} is missing, or no object`)
  const { status } = event
  if (typeof status !== 'string') throw refused(`${EVENT}.status is missing`)
  const isOfRun =
    event.provider_id === run.providerId && event.id === run.benchmarkId && (event.benchmark_index ?? 0) === run.benchmarkIndex
  if (!isOfRun) throw HubError.of('forbidden', { Error: `This sidecar takes the events of ${nameOf(run)} only.` })
  return { event, isTerminal: status === 'completed' || status === 'failed', fields: Object.keys(event) }
}

const nameOf = ({ providerId, benchmarkId, benchmarkIndex }: SidecarSettings['run']) =>
  `benchmark ${benchmarkIndex} ('${benchmarkId}' of provider '${providerId}')`

const refused = (why: string) => HubError.of('invalid_json_request', { Error: `${why}.` })

/** What the sidecar knows, and the adapter has no say in. `commit`: of the test data, which only the init container knows. */
export type Known = { commit?: string | undefined; usage: ModelUsage }

/** The body that is sent: JSON that every reader reads alike. What was asked of models goes with a terminal event. */
export function formatEvent({ event, isTerminal }: SidecarEvent, { commit, usage }: Known): string {
  const { job_meta: _, additional_info: said, ...rest } = event
  const info = infoOf(said, isTerminal ? usage : undefined)
  return JSON.stringify({
    [EVENT]: { ...rest, additional_info: info, ...(commit !== undefined && { job_meta: { resolved_sha: commit } }) },
  })
}

function infoOf(said: unknown, usage: ModelUsage | undefined): unknown {
  // For the hub to refuse.
  if (said !== undefined && !isPlainObject(said)) return said
  const own = said && withoutModelUsage(said)
  return usage ? { ...own, [MODEL_USAGE]: usage } : own
}

/** The event that tells why a result was not taken, in the place of that result. */
export function refusalOf({ providerId, benchmarkId, benchmarkIndex }: SidecarSettings['run'], message: string): SidecarEvent {
  const error_message = { message, message_code: 'report_refused', message_origin: 'sidecar' }
  const event = { provider_id: providerId, id: benchmarkId, benchmark_index: benchmarkIndex, status: 'failed', error_message }
  return { event, isTerminal: true, fields: Object.keys(event) }
}

/** True if nothing is lost when only `later` is sent: it says something of all that `earlier` says, and is of the same kind. */
export const isSuperseded = (earlier: Outline, later: Outline): boolean =>
  !earlier.isTerminal && !later.isTerminal && earlier.fields.every((name) => later.fields.includes(name))
