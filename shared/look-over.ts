import { z } from 'zod'

/** Items of all typed lists together. Each is looked at by itself, which takes far longer than to read it. */
const ITEMS_MAX = 50_000

/** Values of a wrong type up to which all of them are told. To tell of one takes a hundred times as long as to read it. */
const MISTYPED_MAX = 100

const TOO_MANY = `its lists have more than ${ITEMS_MAX} items together: send less at a time`

type Issue = z.core.$ZodIssue
type Path = readonly PropertyKey[]

/**
 * What alone is wrong with a value that would take long to check, as a schema says it: the lists have too many items together, or it has so many
 * values of wrong types that the first stands for all. Undefined of others. Keys are in the schema's spelling.
 */
export function lookOver(schema: z.ZodType, value: unknown): readonly Issue[] | undefined {
  const seen: Seen = { items: 0, mistyped: 0, first: undefined }
  look(schema, value, [], seen)
  if (seen.items > ITEMS_MAX) return [{ code: 'custom', path: [], message: TOO_MANY, input: undefined, params: { text: TOO_MANY } }]
  return seen.mistyped > MISTYPED_MAX ? seen.first?.() : undefined
}

type Seen = {
  items: number
  mistyped: number
  /** Tells of the first of them. */
  first: (() => Issue[]) | undefined
}

const isOver = ({ items, mistyped }: Seen) => items > ITEMS_MAX || mistyped > MISTYPED_MAX

// zod's own element and shape are typed by its core, whose every schema is one of the classic API here.
function look(schema: z.ZodType, value: unknown, path: Path, seen: Seen): void {
  const inner = unwrap(schema)
  if (isMistyped(inner, value)) {
    seen.mistyped += 1
    seen.first ??= () =>
      (inner.safeParse(value, { reportInput: true }).error?.issues ?? []).map((issue) => ({ ...issue, path: [...path, ...issue.path] }))
  } else if (inner instanceof z.ZodArray && Array.isArray(value)) {
    seen.items += value.length
    for (let at = 0; at < value.length && !isOver(seen); at++) look(inner.element as z.ZodType, value[at], [...path, at], seen)
  } else if (inner instanceof z.ZodObject && typeof value === 'object' && value !== null) {
    for (const [name, field] of Object.entries(inner.shape)) {
      const member = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined // any object has names
      if (member !== undefined) look(field as z.ZodType, member, [...path, name], seen)
    }
  }
}

/** False also where that is not easily told. */
function isMistyped(schema: z.ZodType, value: unknown): boolean {
  if (schema instanceof z.ZodString) return typeof value !== 'string'
  if (schema instanceof z.ZodNumber) return typeof value !== 'number'
  if (schema instanceof z.ZodArray) return !Array.isArray(value)
  return schema instanceof z.ZodObject && (typeof value !== 'object' || value === null || Array.isArray(value))
}

/** What lies in wrappers that say what becomes of a value that is not there. */
export function unwrap(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable) {
    return unwrap(schema.unwrap() as z.ZodType) // the same as above
  }
  if (schema instanceof z.ZodPipe) return unwrap(schema.in as z.ZodType) // the same as above
  return schema
}
