import type { BenchmarkConfig } from '../models/evaluation.ts'
import type { Message } from '../models/message.ts'

/**
 * What a request asks for a benchmark that is not done, or not as it may be meant, where the published server takes it without a word (contract 1.4,
 * 6.3 and 9.1). A sentence each, of some hundred characters at most.
 */

/** Names that a sentence tells, and characters of what it repeats. */
const [NAMES_MAX, SHOWN_CHARACTERS] = [3, 64]

/** Remarks as a benchmark's warning has them. */
export const remarksMessage = (remarks: readonly string[]): Message => ({
  message: remarks.join('\n'),
  message_code: 'request_warning',
  message_origin: 'server',
})

type Overridden = {
  id: string
  /** The collection's own parameters of the benchmark, which win. */
  own: Readonly<Record<string, unknown>>
  /** By parameter, which benchmark the job has given it to last, of all of the provider. */
  givers: ReadonlyMap<string, string>
  /** What the job says of this benchmark; absent: nothing. */
  override: BenchmarkConfig | undefined
}

/** On what a job adds to its collection: what reaches a benchmark that it does not name, and what the collection has otherwise. */
export function overrideRemarks({ id, own, givers, override }: Overridden): string[] {
  const strangers = firstOf(givers, ([name, giver]) => giver !== id && !Object.hasOwn(own, name))
  const [stranger] = strangers
  const reached =
    stranger &&
    `${listed(strangers.map(([name]) => name))} ${areOrIs(strangers)} given to ${shown(stranger[1])}${new Set(strangers.map(([, giver]) => giver)).size > 1 ? ' and others' : ''} by the job, and ` +
      `so to every benchmark of this provider in the collection, this one too: effective_parameters are what it runs with.`
  const beaten = firstOf(Object.entries(override?.parameters ?? {}), ([name]) => Object.hasOwn(own, name))
  const kept = beaten.length > 0 && `${listed(beaten.map(([name]) => name))} ${areOrIs(beaten)} the collection's, and not the job's.`
  const judging = (['weight', 'primary_score', 'pass_criteria'] as const).filter((field) => override?.[field] !== undefined)
  const judged = judging.length > 0 && `${listed(judging)} ${areOrIs(judging)} the collection's: a job cannot change how it is judged.`
  return [reached, kept, judged].filter((remark) => typeof remark === 'string')
}

/** On parameters that mean something to EvalHub itself, which it cannot take as they are. `deadlineSeconds`: the bound that holds then. */
export function parameterRemarks(
  { num_examples: count, timeout_seconds: seconds }: Record<string, unknown>,
  deadlineSeconds: number,
): string[] {
  return [...countRemarks(count), ...timeRemarks(seconds, deadlineSeconds)]
}

function countRemarks(count: unknown): string[] {
  if (count === undefined || count === null) return []
  if (typeof count !== 'number') return [`num_examples is ${shownJson(count)}, which is no number: all items are evaluated.`]
  if (!Number.isInteger(count)) return [`num_examples is ${count}, which is no whole number: it is taken as ${Math.trunc(count)}.`]
  return []
}

function timeRemarks(seconds: unknown, deadlineSeconds: number): string[] {
  if (seconds === undefined || seconds === null || (typeof seconds === 'number' && seconds > 0)) return []
  return [`timeout_seconds is ${shownJson(seconds)}, which is no number above 0: the benchmark may take ${deadlineSeconds} seconds.`]
}

/** The first of some, one more than are told. */
function firstOf<Item>(items: Iterable<Item>, isOne: (item: Item) => boolean): Item[] {
  const found: Item[] = []
  for (const item of items) {
    if (isOne(item) && found.push(item) > NAMES_MAX) break
  }
  return found
}

const areOrIs = (items: readonly unknown[]) => (items.length > 1 ? 'are' : 'is')

function listed(names: readonly string[]): string {
  const told = names.slice(0, NAMES_MAX).map(shown)
  return names.length > NAMES_MAX ? `${told.join(', ')} and others` : told.join(' and ').replace(/ and (?=.* and )/, ', ')
}

const shown = (text: string) => (text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS).toWellFormed()}…`)

/** Of a list or object only that it is one: it may be long, and each benchmark of a job may have it. */
function shownJson(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(shown(value))
  return typeof value === 'object' ? (Array.isArray(value) ? 'a list' : 'an object') : String(value)
}
