import type { Filter } from './list-filter.ts'
import { nearestName } from './nearest-name.ts'

/** A filter as a list reads it. */
export type AskedFilter = {
  name: string
  filter: Filter | undefined
  /** All values that there can be; absent: any text. */
  values?: readonly string[]
  /** True: what is listed has many of them, such as tags. */
  hasMany?: boolean
  /** False: a leading `!` is part of the value. */
  canNegate?: boolean
}

/** Values that are told of one filter, and characters of each. */
const [TOLD_MAX, SHOWN_CHARACTERS] = [3, 64]

/**
 * What is asked for and can never be found, a sentence each. The published server answers such a list as it is, mostly empty, and so does this one:
 * a typing error looks like an answer.
 */
export const filterWarnings = (asked: readonly AskedFilter[]): string[] => asked.flatMap(warningsOf)

function warningsOf({ name, filter, values: known, hasMany = false, canNegate = false }: AskedFilter): string[] {
  if (!filter) return []
  const { mode, values } = filter
  const strange = known ? values.filter((value) => !known.includes(value)) : []
  const isBoth = mode === 'all' && !hasMany && new Set(values).size > 1
  const [first = ''] = values
  return [
    ...strange.slice(0, TOLD_MAX).map((value) => `${name} is never ${quoted(value)}: it is ${known?.join(', ')}.${hint(value, known)}`),
    ...(isBoth
      ? [
          `${name} has one value, so it is never both ${quoted(first)} and another: for one of several write | between them, and not a comma.`,
        ]
      : []),
    ...(!canNegate && first.startsWith('!')
      ? [`${name} is looked for with its '!', which means "not" only in owner, status and experiment_id.`]
      : []),
  ]
}

function hint(value: string, known: readonly string[] = []): string {
  const near = nearestName(value, known)
  return near === undefined ? '' : ` Is ${near} meant?`
}

const quoted = (value: string) =>
  value.length <= SHOWN_CHARACTERS ? `'${value}'` : `'${value.slice(0, SHOWN_CHARACTERS).toWellFormed()}…'`
