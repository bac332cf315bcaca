import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect } from 'vitest'
import { z } from 'zod'
import { callOn, JOB, test, type Answer, type Call } from './test-app.ts'
import { anything, arbitraryOf, mutationOf, type Schema } from './test-arbitrary.ts'

type Parameter = { $ref?: string; name: string; in: 'path' | 'query' | 'header'; schema: Schema }
type Content = Record<string, { schema: Schema }>
type Operation = {
  parameters: Parameter[]
  requestBody?: { content: Content }
  responses: Record<string, { headers?: Record<string, object>; content?: Content }>
}
type Document = {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema>; parameters: Record<string, Parameter> }
}

/** The committed description, as any client reads it. */
const document = JSON.parse(readFileSync(new URL('../docs/openapi.json', import.meta.url), 'utf8')) as Document

const nameIn = (reference: string) => reference.split('/').at(-1)!
const resolve = (reference: string): Schema => document.components.schemas[nameIn(reference)]!
const parametersOf = ({ parameters }: Operation) =>
  parameters.map((parameter) => (parameter.$ref === undefined ? parameter : document.components.parameters[nameIn(parameter.$ref)]!))

/** Checks a value against a schema of the description, by another way than the one that made it. */
const validators = new Map<string, z.ZodType>()
function validatorOf(schema: Schema): z.ZodType {
  const key = JSON.stringify(schema)
  const made = validators.get(key) ?? validatorFrom(schema)
  validators.set(key, made)
  return made
}
function validatorFrom(schema: Schema): z.ZodType {
  // zod takes an alternative that only requires a member for one that everything fits.
  const withoutAlternatives = (key: string, value: unknown) => (key === 'oneOf' ? undefined : value)
  const text = JSON.stringify({ ...schema, $defs: document.components.schemas }, withoutAlternatives)
  return z.fromJSONSchema(JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')) as Parameters<typeof z.fromJSONSchema>[0])
}

function expectDescribed(operation: Operation, { status, headers, text, body }: Answer) {
  const described = operation.responses[String(status)]
  expect({ status, text, described: described !== undefined }).toMatchObject({ described: true })
  for (const name of Object.keys(described?.headers ?? {})) expect({ name, value: headers.get(name) }).not.toMatchObject({ value: null })
  const [type, content] = Object.entries(described?.content ?? {})[0] ?? []
  if (!content) return expect(text).toBe('')
  expect(headers.get('content-type')).toContain(type)
  if (type !== 'application/json') return
  const { success, error } = validatorOf(content.schema).safeParse(body)
  expect({ success, error: error && z.prettifyError(error), text }).toMatchObject({ success: true })
}

type Sent = { path: string; headers: Record<string, string>; body: unknown }

/** Text as it can stand in a header. */
const headerText = fc.stringMatching(/^[!-~]{1,20}$/)

/** What parameters are given: as they are described, or anything. */
function valueOf({ schema, in: where, name }: Parameter, isValid: boolean): fc.Arbitrary<string> {
  if (where === 'header') return name === 'If-Match' ? fc.constantFrom('*', '"a"', 'W/"a"') : headerText
  return (isValid ? arbitraryOf(schema, resolve) : anything).map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
}

/** A request of an operation, about `ids` of what there is, or about nothing. */
function requestOf(path: string, operation: Operation, ids: readonly string[], isValid: boolean): fc.Arbitrary<Sent> {
  const parameters = parametersOf(operation)
  const ofPath = {
    id: fc.constantFrom(...ids, 'none'),
    index: isValid ? fc.constantFrom('0', '0', '7') : fc.constantFrom('0', '-1', 'x', '1.5'),
  }
  const own = (where: Parameter['in']) => parameters.filter((parameter) => parameter.in === where && !parameter.name.startsWith('X-'))
  const some = (where: Parameter['in']) =>
    fc.record(Object.fromEntries(own(where).map((parameter) => [parameter.name, valueOf(parameter, isValid)])), { requiredKeys: [] })
  const schema = operation.requestBody?.content['application/json']?.schema
  const valid = schema ? arbitraryOf(schema, resolve) : fc.constant(undefined)
  const body = isValid || !schema ? valid : valid.chain((value) => fc.oneof(mutationOf(value), anything, fc.constant(undefined)))
  return fc
    .record({ ofPath: fc.record(ofPath), query: some('query'), headers: some('header'), body })
    .map(({ ofPath: at, query, headers, body }) => ({
      path: `${path.replace(/\{(\w+)\}/g, (_, name: 'id' | 'index') => at[name])}?${new URLSearchParams(query as Record<string, string>)}`,
      headers: headers as Record<string, string>,
      body,
    }))
}

/** One of each, of the tenant, and those of the catalogue. */
async function idsFor(call: Call, path: string): Promise<string[]> {
  const create = async (noun: string, body: object) => (await call('POST', `/${noun}`, body)).body.resource.id as string
  if (path.includes('/jobs'))
    return [await create('jobs', JOB), await create('jobs', { ...JOB, benchmarks: undefined, collection: { id: 'pair-v1' } })]
  if (path.includes('/providers')) return ['frame', await create('providers', { name: 'p', benchmarks: [{ id: 'b' }] })]
  return ['pair-v1', await create('collections', { name: 'c', category: 'c', benchmarks: [{ id: 'first', provider_id: 'frame' }] })]
}

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).flatMap(([method, operation]) =>
    (['valid', 'invalid'] as const).map((kind) => [kind, method.toUpperCase(), path, operation] as const),
  ),
)

// Guarantee: whoever reads the description can send what it says, and understands every answer, also to what is wrong.
describe('requests that are made from the API’s description', () => {
  test.for(operations)('%s ones to %s %s are answered as it says', async ([kind, method, path, operation], { call, app, tenant }) => {
    const ids = await idsFor(call, path)
    const outside = callOn(app, { 'X-Tenant': tenant, 'X-User': 'ann' })
    const statuses = new Set<number>()
    const property = fc.asyncProperty(requestOf(path, operation, ids, kind === 'valid'), async ({ path: to, headers, body }) => {
      const answer = await outside(method, `/${to}`, body === undefined ? undefined : JSON.stringify(body), headers)
      statuses.add(answer.status)
      expect(answer.status).toBeLessThan(500)
      expectDescribed(operation, answer)
    })
    await fc.assert(property, { numRuns: 100 })
    // What the description calls good is taken by each route at times, so more than refusals were compared.
    if (kind === 'invalid') return
    const isTaken = () => [...statuses].some((status) => status < 300)
    for (let round = 0; !isTaken() && round < 9; round++) await fc.assert(property, { numRuns: 100 })
    expect(isTaken()).toBe(true)
  })
})
