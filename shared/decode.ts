import { z } from 'zod'
import { HubError } from './errors.ts'

/**
 * JSON text → value of `schema`, as the published server reads it: keys in any case (and `cpu_request` for `CPURequest`), unknown
 * keys ignored, null in a typed field as if absent. What lies in an opaque object is left as it is.
 *
 * Refuses with `invalid_json_request` (no JSON, or a type that does not fit) or
 * `request_validation_failed` (`name` is the type's name in the latter's text).
 */
export function decode<Schema extends z.ZodType>(schema: Schema, name: string, text: string): z.output<Schema> {
  return decodeValue(schema, name, parseJson(text))
}

/** JSON text as it is. Refuses with `invalid_json_request` what is no JSON, or cannot be stored. */
export function parseJson(text: string): unknown {
  const json = parse(text)
  refuseUnstorable(text, json)
  // Each level takes two characters at least, so most bodies need no look.
  if (text.length > 2 * MAX_DEPTH && isDeeper(json, MAX_DEPTH)) {
    throw HubError.of('invalid_json_request', { Error: `lists and objects lie in each other more than ${MAX_DEPTH} deep` })
  }
  return json
}

/** Levels of lists and objects in each other. PostgreSQL and JSON.stringify both fail at some thousands. */
const MAX_DEPTH = 1000

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' && value !== null && (levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1)))

/** As `decode`, for what has been parsed already, from YAML for instance. */
export function decodeValue<Schema extends z.ZodType>(schema: Schema, name: string, value: unknown): z.output<Schema> {
  const result = checkValue(schema, value)
  if (result.success) return result.data
  const mismatch = result.error.issues.find((issue) => issue.code === 'invalid_type' && issue.input !== undefined)
  if (mismatch) throw HubError.of('invalid_json_request', { Error: `${pathOf(mismatch.path) || 'the body'}: ${mismatch.message}` })
  throw HubError.of('request_validation_failed', { Error: sentence(name, result.error.issues) })
}

/** As `decodeValue`, and refuses nothing: all that is wrong comes back, with paths in the schema's spelling. */
export const checkValue = <Schema extends z.ZodType>(schema: Schema, value: unknown): z.ZodSafeParseResult<z.output<Schema>> =>
  schema.safeParse(fold(schema, value) ?? {}, { reportInput: true })

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw HubError.of('invalid_json_request', { Error: text.trim() === '' ? 'the body is empty' : reason }, error)
  }
}

/** How text must look to hold what `refuseUnstorable` refuses: such an escape, or a number with many digits or a long exponent. */
const SUSPECT = /\\u(0000|d[89a-f])|\de\+?\d{3}|\d{300}/i

/** PostgreSQL stores neither U+0000 nor half a surrogate pair, and a number too large for 64 bits is read as Infinity, which no JSON holds. */
function refuseUnstorable(text: string, json: unknown) {
  if (!SUSPECT.test(text)) return
  JSON.stringify(json, (key, value: unknown) => {
    if (value === Infinity || value === -Infinity) throw HubError.of('invalid_json_request', { Error: `${key}: the number is too large` })
    for (const part of [key, value]) {
      if (typeof part === 'string' && (part.includes('\0') || !part.isWellFormed())) {
        throw HubError.of('invalid_json_request', { Error: `${JSON.stringify(part.slice(0, 40))} holds U+0000 or half a surrogate pair` })
      }
    }
    return value
  })
}

/** Brings the keys of typed objects to the schema's spelling and drops their nulls. Depth is that of the schema. */
function fold(schema: z.ZodType, value: unknown): unknown {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodArray && Array.isArray(value)) return value.map((item) => fold(element(inner), item))
  if (!(inner instanceof z.ZodObject) || !isPlainObject(value)) return value
  const spelling = spellings(inner)
  const folded: Record<string, unknown> = {}
  for (const [key, member] of Object.entries(value)) {
    const lower = key.toLowerCase()
    const name = spelling.get(key) ?? spelling.get(lower) ?? spelling.get(lower.replaceAll('_', ''))
    if (name === undefined || member === null) continue
    folded[name] = fold(fieldOf(inner, name), member)
  }
  return folded
}

export const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

// zod's own element and shape are typed by its core, whose every schema is one of the classic API here.
const element = (schema: z.ZodArray) => schema.element as z.ZodType
const fieldOf = (schema: z.ZodObject, name: string) => schema.shape[name] as z.ZodType

function unwrap(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable) {
    return unwrap(schema.unwrap() as z.ZodType) // the same as above
  }
  if (schema instanceof z.ZodPipe) return unwrap(schema.in as z.ZodType) // the same as above
  return schema
}

const spellingsBySchema = new WeakMap<z.ZodObject, Map<string, string>>()

function spellings(schema: z.ZodObject): Map<string, string> {
  const known = spellingsBySchema.get(schema)
  if (known) return known
  const made = new Map(Object.keys(schema.shape).flatMap((name) => [[name.toLowerCase(), name] as const, [name, name] as const]))
  spellingsBySchema.set(schema, made)
  return made
}

type Issue = z.core.$ZodIssue

/** The first failure in words of its own where the contract has such; else all failures, a line each, in its form. */
function sentence(name: string, issues: readonly Issue[]): string {
  const [first] = issues
  if (first?.code === 'invalid_value') return `${String(first.path.at(-1))} must be one of: ${first.values.filter(Boolean).join(', ')}`
  if (first?.code === 'custom' && typeof first.params?.text === 'string') return first.params.text
  return issues
    .map((issue) => {
      const field = pathOf(issue.path.slice(typeof issue.path.at(-1) === 'number' ? -2 : -1))
      return `Key: '${name}.${pathOf(issue.path)}' Error:Field validation for '${field}' failed on the '${tagOf(issue)}' tag`
    })
    .join('\n')
}

/** The contract's name of the rule that failed. */
function tagOf(issue: Issue): string {
  if (issue.code === 'custom' && typeof issue.params?.tag === 'string') return issue.params.tag
  if (issue.code === 'invalid_type') return 'required'
  if (issue.code === 'too_small') return issue.origin === 'number' || issue.origin === 'array' ? 'min' : 'required'
  if (issue.code === 'too_big') return 'max'
  if (issue.code === 'invalid_format') return issue.format
  return issue.code
}

/** `benchmarks[0].id` */
export const pathOf = (path: readonly PropertyKey[]) =>
  path.map((part, at) => (typeof part === 'number' ? `[${part}]` : `${at ? '.' : ''}${String(part)}`)).join('')
