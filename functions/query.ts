import type { Context } from 'hono'
import type { Slice } from '#db/queries/filters.ts'
import { parseFilter, type Filter } from '#shared/domain/list-filter.ts'
import { HubError } from '#shared/errors.ts'
import type { AppEnv } from './env.ts'

type Request = Context<AppEnv>['req']

const first = (req: Request, name: string) => req.queries(name)?.find((value) => value !== '')

/** An integer parameter within its bounds, else `query_parameter_invalid` with `type` in its sentence. */
export function integer(req: Request, name: string, { fallback, isValid, type }: IntegerRule): number {
  const text = first(req, name)
  if (text === undefined) return fallback
  const value = /^[+-]?\d{1,15}$/.test(text) ? Number(text) : undefined
  if (value === undefined) throw invalid(name, 'integer', text)
  if (!isValid(value)) throw invalid(name, type, text)
  return value
}
type IntegerRule = { fallback: number; isValid: (value: number) => boolean; type: string }

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True'])
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False'])

export function boolean(req: Request, name: string, fallback: boolean): boolean {
  const text = first(req, name)
  if (text === undefined) return fallback
  if (TRUE.has(text)) return true
  if (FALSE.has(text)) return false
  throw invalid(name, 'boolean', text)
}

/** Values that all filters of a request may have together, and characters of each: the database compares each of them with each row. */
const [MAX_FILTER_VALUES, MAX_FILTER_CHARACTERS] = [50, 256]

export type ReadFilter = (name: string, canNegate?: boolean) => Filter | undefined

/** Reads the filter parameters of a request, one by one; one that is repeated means that all its values must hold. */
export function filterReader(req: Request): ReadFilter {
  let count = 0
  return (name, canNegate = false) => {
    const given = req.queries(name)?.filter((value) => value !== '')
    const text = given?.join(',') ?? ''
    if (text.includes('\0')) throw invalid(name, 'text without U+0000', text)
    const filter = parseFilter(text, { canNegate })
    const values = filter?.values ?? []
    count += values.length
    if (count > MAX_FILTER_VALUES)
      throw invalid(name, `filter, of which a request takes at most ${MAX_FILTER_VALUES} values in all`, `${count} values`)
    const long = values.find(({ length }) => length > MAX_FILTER_CHARACTERS)
    if (long === undefined) return filter
    throw invalid(name, `filter, whose values have at most ${MAX_FILTER_CHARACTERS} characters each`, `one of ${long.length} characters`)
  }
}

export function slice(req: Request): Slice {
  const rule = { isValid: (value: number) => value >= 0, type: 'positive integer' }
  return { limit: integer(req, 'limit', { ...rule, fallback: 50 }), offset: integer(req, 'offset', { ...rule, fallback: 0 }) }
}

/** Refuses a parameter that the list does not have, and so a typing error. */
export function refuseUnknown(req: Request, allowed: readonly string[]): void {
  const unknown = Object.keys(req.queries()).find((name) => !allowed.includes(name))
  if (unknown !== undefined) {
    throw HubError.of('query_bad_parameter', { ParameterName: unknown, AllowedParameters: allowed.join(', ') })
  }
}

/** Beyond it a run's index is none that the database knows. */
const MAX_INDEX = 2 ** 31 - 1

/** The parameter of a path that says which run of a job is meant. One that no job has is the last of all. */
export function benchmarkIndex(text: string): number {
  if (!/^\+?\d+$/.test(text)) throw invalid('benchmark_index', 'non-negative integer', text)
  return Math.min(Number(text), MAX_INDEX)
}

export const invalid = (name: string, type: string, value: string): HubError =>
  HubError.of('query_parameter_invalid', { ParameterName: name, Type: type, Value: value })
