import { HubError } from '#shared/errors.ts'
import type { SidecarSettings } from './config.ts'
import { setMember } from './splice-json.ts'
import type { ModelUsage } from './usage.ts'

/** An event as the adapter wrote it, and what of it the sidecar needs to know. */
export type SidecarEvent = {
  /** Body of the request: JSON, with `benchmark_status_event`. */
  text: string
  isTerminal: boolean
  /** Names of the fields that it has, in lower case. */
  fields: readonly string[]
}

const EVENT = 'benchmark_status_event'

/** Refuses what is no event, and events of other runs. Whether its fields are right is for the hub to say. */
export function readEvent(text: string, run: SidecarSettings['run']): SidecarEvent {
  const event = membersOf(membersOf(parse(text), 'the body').get(EVENT), EVENT)
  const status = event.get('status')
  if (typeof status !== 'string') throw refused(`${EVENT}.status is missing`)
  const isOfRun =
    event.get('provider_id') === run.providerId &&
    event.get('id') === run.benchmarkId &&
    (event.get('benchmark_index') ?? 0) === run.benchmarkIndex
  if (!isOfRun) throw HubError.of('forbidden', { Error: `This sidecar takes the events of ${nameOf(run)} only.` })
  return { text, isTerminal: status === 'completed' || status === 'failed', fields: [...event.keys()] }
}

/** By their names in lower case, as the hub reads them. */
function membersOf(value: unknown, name: string): Map<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused(`${name} is missing, or no object`)
  return new Map(Object.entries(value).map(([key, member]: [string, unknown]) => [key.toLowerCase(), member]))
}

const nameOf = ({ providerId, benchmarkId, benchmarkIndex }: SidecarSettings['run']) =>
  `benchmark ${benchmarkIndex} ('${benchmarkId}' of provider '${providerId}')`

const refused = (why: string) => HubError.of('invalid_json_request', { Error: `${why}.` })

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw refused(error instanceof Error ? error.message : String(error))
  }
}

/** The event with the commit of the test data, which only the init container knows: what an adapter says of it does not count. */
export const withCommit = (text: string, commit: string | undefined): string =>
  setMember(text, [EVENT, 'job_meta', 'resolved_sha'], JSON.stringify(commit ?? null))

/** The event with what the run asked of its models. */
export const withUsage = (text: string, usage: ModelUsage): string =>
  setMember(text, [EVENT, 'additional_info', 'model_usage'], JSON.stringify(usage))

/** The body that tells why a result was not taken, in the place of that result. */
export function refusalOf({ providerId, benchmarkId, benchmarkIndex }: SidecarSettings['run'], message: string): string {
  const error_message = { message, message_code: 'report_refused', message_origin: 'sidecar' }
  const event = { provider_id: providerId, id: benchmarkId, benchmark_index: benchmarkIndex, status: 'failed', error_message }
  return JSON.stringify({ [EVENT]: event })
}

/** True if nothing is lost when only `later` is sent: it says something of all that `earlier` says, and is of the same kind. */
export const isSuperseded = (earlier: SidecarEvent, later: SidecarEvent): boolean =>
  !earlier.isTerminal && !later.isTerminal && earlier.fields.every((name) => later.fields.includes(name))
