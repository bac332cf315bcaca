import { z } from 'zod'
import { HubError } from './errors.ts'
import { lookOver, unwrap } from './look-over.ts'

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

/** JSON text as it is. Refuses with `invalid_json_request` what is no JSON, cannot be stored, or has more than 150,000 members. */
export function parseJson(text: string): unknown {
  refuseCostly(text)
  const json = parse(text)
  if (SUSPECT.test(text)) refuseUnstorable('', json)
  return json
}

/** Levels of lists and objects in each other. PostgreSQL, JSON.stringify and whatever else calls itself for each level fail at some thousands. */
const MAX_DEPTH = 1000

/**
 * Members of all objects of a body: a few more than what is stored of one can have, at 87 bytes each at least in 12 MiB. An object of many is read a
 * hundred times as slowly as a list, and once more by whatever looks at it: what is refused in the end is refused before that.
 */
const MEMBERS_MAX = 150_000

/** Refuses with `invalid_json_request` what lies deeper than is stored. */
export function refuseDeep(json: unknown): void {
  if (isDeeper(json, MAX_DEPTH)) throw tooDeep()
}

const tooDeep = () => HubError.of('invalid_json_request', { Error: `lists and objects lie in each other more than ${MAX_DEPTH} deep` })

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' && value !== null && (levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1)))

/** As `decode`, for what has been parsed already, from YAML for instance. */
export function decodeValue<Schema extends z.ZodType>(schema: Schema, name: string, value: unknown): z.output<Schema> {
  const result = checkValue(schema, value)
  if (result.success) return result.data
  const mismatch = result.issues.find((issue) => issue.code === 'invalid_type' && issue.input !== undefined)
  if (mismatch) throw HubError.of('invalid_json_request', { Error: `${pathOf(mismatch.path) || 'the body'}: ${mismatch.message}` })
  throw HubError.of('request_validation_failed', { Error: sentence(name, result.issues) })
}

/** As `decodeValue`, and refuses nothing: what is wrong comes back, with paths in the schema's spelling. All of it, unless that would take long. */
export function checkValue<Schema extends z.ZodType>(schema: Schema, value: unknown): Checked<z.output<Schema>> {
  const clean = spelled(namesOf(schema), value) ?? {}
  const issues = lookOver(schema, clean)
  if (issues) return { success: false, issues }
  const result = schema.safeParse(clean, { reportInput: true })
  return result.success ? result : { success: false, issues: result.error.issues }
}

const [QUOTE, COLON, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x22, 0x3a, 0x5b, 0x5d, 0x7b, 0x7d]

/** Before it is read: by its text alone, which takes no time beside reading it. */
function refuseCostly(text: string): void {
  let [depth, members] = [0, 0]
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) at = endOfString(text, at + 1)
    else if (unit === COLON) members += 1
    else if (unit === CLOSE_LIST || unit === CLOSE_OBJECT) depth -= 1
    else if ((unit === OPEN_LIST || unit === OPEN_OBJECT) && ++depth > MAX_DEPTH) throw tooDeep()
  }
  if (members <= MEMBERS_MAX) return
  throw HubError.of('invalid_json_request', { Error: `its objects have ${members} members, and at most ${MEMBERS_MAX} are read` })
}

/** Where the quote is that ends a string; the end of the text if none does. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 1)) {
    let before = at
    while (before > from && text[before - 1] === '\\') before--
    if ((at - before) % 2 === 0) return at
  }
  return text.length
}

type Issue = z.core.$ZodIssue
type Checked<Value> = { success: true; data: Value } | { success: false; issues: readonly Issue[] }

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw HubError.of('invalid_json_request', { Error: text.trim() === '' ? 'the body is empty' : reason }, error)
  }
}

/**
 * How text must look to hold what `refuseUnstorable` refuses: such an escape, or a number with many digits or a long exponent. Digits are
 * counted from the first of each number only, else 10 MB of them take a quarter of a minute.
 */
const SUSPECT = /\\u(0000|d[89a-f])|\de\+?\d{3}|(?<!\d)\d{200}/i

/** PostgreSQL stores neither U+0000 nor half a surrogate pair, and a number too large for 64 bits is read as Infinity, which no JSON holds. */
function refuseUnstorable(key: string | number, value: unknown): void {
  if (typeof value === 'string') refuseText(value)
  else if (value === Infinity || value === -Infinity) {
    throw HubError.of('invalid_json_request', { Error: `${key}: the number is too large` })
  } else if (Array.isArray(value)) for (let at = 0; at < value.length; at++) refuseUnstorable(at, value[at])
  else if (isPlainObject(value)) {
    for (const name of Object.keys(value)) {
      refuseText(name)
      refuseUnstorable(name, value[name])
    }
  }
}

function refuseText(text: string): void {
  if (!text.includes('\0') && text.isWellFormed()) return
  throw HubError.of('invalid_json_request', { Error: `${JSON.stringify(text.slice(0, 40))} holds U+0000 or half a surrogate pair` })
}

/**
 * The names that a schema has for the members of its objects. `[names]`: of each item of a list. null: what lies there is left as it is.
 * `EMPTY_IS_ABSENT`: a word of a list, or a time, which an empty text says nothing about.
 */
export type Names = null | typeof EMPTY_IS_ABSENT | [Names] | { [name: string]: Names }

export const EMPTY_IS_ABSENT = 'empty is absent'

/** Characters of a key that may be a name: more than any has, with signs between its letters. What a key of megabytes would be costs nothing. */
const KEY_MAX = 128

/**
 * Brings the keys of objects to the spelling of `names`, and leaves out nulls and other keys: of several that are one name to the published
 * server the last one with a value counts. What comes back is read in this one way by everybody, and again by this function.
 */
export function spelled(names: Names, value: unknown): unknown {
  if (Array.isArray(names)) return Array.isArray(value) ? value.map((item) => spelled(names[0], item)) : value
  if (names === null || names === EMPTY_IS_ABSENT || !isPlainObject(value)) return value
  const spelling = spellings(names)
  const clean: Record<string, unknown> = {}
  // Entries of an object of many members take three times as long.
  for (const key of Object.keys(value)) {
    if (key.length > KEY_MAX) continue
    const lower = key.toLowerCase()
    const name = spelling.get(key) ?? spelling.get(lower) ?? spelling.get(lower.replaceAll('_', ''))
    if (name === undefined || value[key] === null || (value[key] === '' && names[name] === EMPTY_IS_ABSENT)) continue
    clean[name] = spelled(names[name] ?? null, value[key])
  }
  return clean
}

export const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const namesBySchema = new WeakMap<z.ZodType, Names>()

export function namesOf(schema: z.ZodType): Names {
  const known = namesBySchema.get(schema)
  if (known !== undefined) return known
  const names = readNames(schema)
  namesBySchema.set(schema, names)
  return names
}

// zod's own element and shape are typed by its core, whose every schema is one of the classic API here.
function readNames(whole: z.ZodType): Names {
  const schema = unwrap(whole)
  const isWord = schema instanceof z.ZodEnum || schema instanceof z.ZodISODateTime
  if (isWord && whole instanceof z.ZodOptional) return EMPTY_IS_ABSENT
  if (schema instanceof z.ZodArray) return [namesOf(schema.element as z.ZodType)]
  if (!(schema instanceof z.ZodObject)) return null
  return Object.fromEntries(Object.entries(schema.shape).map(([name, field]) => [name, namesOf(field as z.ZodType)]))
}

const spellingsByNames = new WeakMap<object, Map<string, string>>()

function spellings(names: Record<string, Names>): Map<string, string> {
  const known = spellingsByNames.get(names)
  if (known) return known
  const made = new Map(Object.keys(names).flatMap((name) => [[name.toLowerCase(), name] as const, [name, name] as const]))
  spellingsByNames.set(names, made)
  return made
}

/** The first failure in words of its own where the contract has such; else the failures, a line each, in its form. */
function sentence(name: string, issues: readonly Issue[]): string {
  const [first] = issues
  if (first?.code === 'invalid_value' && first.input !== '')
    return `${String(first.path.at(-1))} must be one of: ${first.values.filter(Boolean).join(', ')}`
  if (first?.code === 'custom' && typeof first.params?.text === 'string') return first.params.text
  const lines = issues.slice(0, LINES_MAX).map((issue) => {
    if (issue.code === 'custom' && typeof issue.params?.text === 'string' && issue.params.tag === undefined) return issue.params.text
    const field = fieldOf(issue)
    const rule = `Error:Field validation for '${field}' failed on the '${tagOf(issue)}' tag${detailOf(issue)}`
    return `Key: '${name}.${pathOf(issue.path)}' ${rule}`
  })
  const others = issues.length - lines.length
  return [...lines, ...(others > 0 ? [`and ${others} more`] : [])].join('\n')
}

/** Failures that are told: nobody reads thousands, and an answer should not be much longer than its request. */
const LINES_MAX = 20

/** The name of what failed; that of an item has its list's too. */
function fieldOf(issue: Issue): string {
  if (issue.code === 'custom' && typeof issue.params?.field === 'string') return issue.params.field
  return pathOf(issue.path.slice(typeof issue.path.at(-1) === 'number' ? -2 : -1))
}

/** What is expected, where a field says so; of something that has too many items, how many, and how many it may have. */
function detailOf({ input, ...issue }: Issue): string {
  if (issue.code === 'custom' && typeof issue.params?.rule === 'string') return `: ${issue.params.rule}`
  const maximum = issue.code === 'too_big' && issue.origin === 'array' ? issue.maximum : issue.code === 'custom' && issue.params?.maximum
  if (typeof input !== 'object' || input === null || typeof maximum !== 'number') return ''
  return `: it has ${Object.keys(input).length} items, and at most ${maximum} are taken`
}

/** The rule that text must be more than white space, which absent text breaks too. */
export const NOT_BLANK = 'notblank'

/** The contract's name of the rule that failed. */
function tagOf(issue: Issue): string {
  if (issue.code === 'custom' && typeof issue.params?.tag === 'string') return issue.params.tag
  if (issue.code === 'invalid_type') return issue.message === NOT_BLANK ? NOT_BLANK : 'required'
  // Only of words that must be there an empty one comes so far.
  if (issue.code === 'invalid_value') return 'required'
  if (issue.code === 'too_small') return issue.origin === 'number' || issue.origin === 'array' ? 'min' : 'required'
  if (issue.code === 'too_big') return 'max'
  if (issue.code === 'invalid_format') return issue.format
  return issue.code
}

/** `benchmarks[0].id` */
export const pathOf = (path: readonly PropertyKey[]) =>
  path.map((part, at) => (typeof part === 'number' ? `[${part}]` : `${at ? '.' : ''}${String(part)}`)).join('')
