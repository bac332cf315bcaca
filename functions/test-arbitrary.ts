import fc from 'fast-check'

/** A JSON Schema, as far as the API's description uses it. */
export type Schema = {
  $ref?: string
  type?: string
  enum?: unknown[]
  const?: unknown
  anyOf?: Schema[]
  oneOf?: Pick<Schema, 'required'>[]
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  items?: Schema
  minItems?: number
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  format?: string
  pattern?: string
}

/** Text that no database can shorten, of more bytes than a row of its indexes holds. */
const noise = Array.from({ length: 3000 }, (_, at) => String.fromCodePoint(0x4e00 + ((at * 7919) % 9973))).join('')

/** JSON of any shape, with the values that break things. */
export const anything: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(
      null,
      true,
      '',
      'a',
      'first',
      'frame',
      0,
      -1,
      1.5,
      1e39,
      2 ** 53,
      'x'.repeat(2000),
      noise,
      '\u2028',
      '😀',
      '2026-11-23T10:00:00Z',
    ),
    fc.string(),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.string({ maxLength: 8 }), tie('value'), { maxKeys: 3 }),
  ),
})).value

type Path = (string | number)[]

/** The places of a JSON value. */
export const placesOf = (value: unknown, at: Path = []): Path[] =>
  typeof value === 'object' && value !== null
    ? [at, ...Object.entries(value).flatMap(([key, member]) => placesOf(member, [...at, key]))]
    : [at]

/** `value` with something else in one place. */
function changed(value: unknown, [key, ...rest]: Path, other: unknown): unknown {
  if (key === undefined) return other
  const copy = structuredClone(value) as Record<string | number, unknown>
  copy[key] = changed(copy[key], rest, other)
  return copy
}

/** `value` with anything else in one of its places. */
export const mutationOf = (value: unknown): fc.Arbitrary<unknown> =>
  fc.tuple(fc.constantFrom(...placesOf(value)), anything).map(([place, other]) => changed(value, place, other))

/** What the tests' catalogue has, so that some requests mean something. */
const KNOWN: Record<string, fc.Arbitrary<unknown>> = {
  provider_id: fc.constant('frame'),
  id: fc.constantFrom('first', 'first', 'second', 'pair-v1'),
  url: fc.constant('http://localhost:1/v1'),
  benchmark_index: fc.constantFrom(0, 0, 1),
}

/**
 * What a schema describes, or nearly: rules across members are the hub's to refuse. `resolve` finds what a reference names. The schemas of
 * requests do not contain themselves.
 */
export function arbitraryOf(schema: Schema, resolve: (reference: string) => Schema): fc.Arbitrary<unknown> {
  const inner = (part: Schema) => arbitraryOf(part, resolve)
  if (schema.$ref !== undefined) return inner(resolve(schema.$ref))
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum) return fc.constantFrom(...schema.enum)
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(inner))
  if (schema.type === undefined) return anything
  if (schema.type === 'object') return objectOf(schema, inner)
  if (schema.type === 'array') return listOf(schema, inner(schema.items ?? {}))
  if (schema.type === 'string') return textOf(schema)
  if (schema.type === 'integer') return fc.integer({ min: bound(schema.minimum, -(2 ** 31)), max: bound(schema.maximum, 2 ** 31 - 1) })
  if (schema.type === 'number') return numberOf(schema)
  if (schema.type === 'boolean') return fc.boolean()
  if (schema.type === 'null') return fc.constant(null)
  throw new Error(`no arbitrary for ${JSON.stringify(schema)}`)
}

const bound = (value: number | undefined, fallback: number) => (value === undefined || Math.abs(value) > 2 ** 31 ? fallback : value)

const listOf = ({ minItems: minLength = 0 }: Schema, item: fc.Arbitrary<unknown>) => fc.array(item, { minLength, maxLength: minLength + 2 })

function numberOf({ minimum, maximum }: Schema) {
  const small = fc.integer({ min: Math.max(0, minimum ?? 0) * 4, max: Math.min(1, maximum ?? 1) * 4 }).map((quarters) => quarters / 4)
  return fc.oneof(small, fc.double({ min: minimum ?? -1e300, max: maximum ?? 1e300, noNaN: true }))
}

function objectOf(schema: Schema, inner: (part: Schema) => fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const { properties, required = [], additionalProperties: others } = schema
  if (!properties) return fc.dictionary(fc.string({ maxLength: 8 }), inner(typeof others === 'object' ? others : {}), { maxKeys: 3 })
  if (schema.oneOf) return fc.oneof(...schema.oneOf.map((choice) => objectOf(chosen(schema, choice, schema.oneOf ?? []), inner)))
  const members = Object.entries(properties).map(([name, part]) => {
    const known = part.pattern === undefined ? KNOWN[name] : undefined
    const value = known ? fc.oneof({ weight: 9, arbitrary: known }, { weight: 1, arbitrary: inner(part) }) : inner(part)
    // Two of three that may be left out are: members that must not come together would else refuse almost everything.
    const absent = { weight: 2, arbitrary: fc.constant(undefined) }
    return [name, required.includes(name) ? value : fc.oneof(absent, { weight: 1, arbitrary: value })] as const
  })
  // JSON leaves out what is undefined.
  return fc.record(Object.fromEntries(members))
}

/** The schema with one of its alternatives: what only the others require is not there. */
function chosen({ properties = {}, required = [], oneOf: _, ...rest }: Schema, choice: Schema, all: readonly Schema[]): Schema {
  const others = new Set(all.filter((other) => other !== choice).flatMap((other) => other.required ?? []))
  const kept = Object.entries(properties).filter(([name]) => !others.has(name))
  return { ...rest, properties: Object.fromEntries(kept), required: [...required, ...(choice.required ?? [])] }
}

function textOf({ format, pattern, minLength = 0, maxLength = 40 }: Schema): fc.Arbitrary<string> {
  if (format === 'date-time') return fc.constantFrom('2026-11-23T10:00:00Z', '2026-11-23T10:00:00.123456+02:00')
  if (pattern !== undefined) {
    return fc.stringMatching(new RegExp(pattern)).filter((text) => [...text].length >= minLength && [...text].length <= maxLength)
  }
  return fc.oneof(
    fc.constantFrom('a'.repeat(Math.max(minLength, 1)), 'first'),
    fc.string({ minLength, maxLength: Math.min(maxLength, minLength + 12) }),
  )
}
