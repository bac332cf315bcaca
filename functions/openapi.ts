import { z } from 'zod'
import { statusOf, type ErrorCode } from '#shared/errors.ts'
import { Attempt, AttemptList } from '#shared/models/attempt.ts'
import { BenchmarkResult, BenchmarkStatus } from '#shared/models/benchmark-run.ts'
import { Collection, CollectionBenchmark, CollectionConfig } from '#shared/models/collection.ts'
import { ErrorBody } from '#shared/models/error.ts'
import { BenchmarkConfig, EvaluationJob, EvaluationJobConfig, ModelRef } from '#shared/models/evaluation.ts'
import { BenchmarkStatusEvent, StatusEvent } from '#shared/models/event.ts'
import { PassCriteria, PrimaryScore } from '#shared/models/fields.ts'
import { HardwareConfig } from '#shared/models/hardware.ts'
import { JobBatch, JobIds, JobOutcomes, JobState, JobStates } from '#shared/models/job-batch.ts'
import { Message } from '#shared/models/message.ts'
import { pageOf } from '#shared/models/page.ts'
import { BenchmarkResource, CatalogueResource, Provider, ProviderConfig, ProviderRuntime } from '#shared/models/provider.ts'
import { TestDataRef } from '#shared/models/test-data.ts'
import { REQUEST_ID_HEADER } from './answer.ts'
import { describe } from './openapi-describe.ts'
import { EXAMPLES } from './openapi-examples.ts'
import { ROUTES, type RouteDescription } from './openapi-routes.ts'

/** What goes in: as a client may write it. */
const REQUESTS: Record<string, z.ZodType> = {
  EvaluationJobConfig,
  JobBatch,
  JobIds,
  StatusEvent,
  BenchmarkStatusEvent,
  ProviderConfig,
  CollectionConfig,
  Patch: z
    .array(z.object({ op: z.enum(['add', 'remove', 'replace']), path: z.string().regex(/^\//), value: z.unknown().optional() }))
    .nullable(),
}

/** What comes out: as the hub answers it. */
export const ANSWERS: Record<string, z.ZodType> = {
  EvaluationJob,
  BenchmarkStatus,
  BenchmarkResult,
  EvaluationJobPage: pageOf(EvaluationJob),
  Attempt,
  AttemptList,
  CatalogueResource,
  Provider,
  ProviderPage: pageOf(Provider),
  Collection,
  CollectionPage: pageOf(Collection),
  Health: z.object({ status: z.literal('healthy'), timestamp: z.iso.datetime() }),
  Readiness: z.object({ status: z.literal('ready'), timestamp: z.iso.datetime() }),
  JobOutcomes,
  JobState,
  JobStates,
  Error: ErrorBody,
}

/** Parts of both. What may be left out of a request is there in an answer, so each part has two schemas. */
const PARTS: Record<string, z.ZodType> = {
  BenchmarkConfig,
  BenchmarkResource,
  CollectionBenchmark,
  HardwareConfig,
  Message,
  ModelRef,
  PassCriteria,
  PrimaryScore,
  ProviderRuntime,
  TestDataRef,
}

const locationOf = (name: string) => `#/components/schemas/${name}`
const reference = (name: string) => ({ $ref: locationOf(name) })

/** The models and their parts, which refer to each other by name. Parts of a request end in `Input`. */
function schemasOf(models: Record<string, z.ZodType>, io: 'input' | 'output'): Record<string, object> {
  const registry = z.registry<{ id: string }>()
  for (const [id, model] of Object.entries(models)) registry.add(model, { id })
  for (const [name, part] of Object.entries(PARTS)) registry.add(part, { id: io === 'input' ? `${name}Input` : name })
  const { schemas } = z.toJSONSchema(registry, { io, uri: locationOf, unrepresentable: 'any', override })
  for (const [name, schema] of Object.entries(schemas)) describe(name, schema)
  return Object.fromEntries(Object.entries(schemas).map(([name, { $schema: _, $id: __, ...schema }]) => [name, schema]))
}

/** Answers gain members in time; clients must not refuse those that they do not know. */
function leaveOpen(schema: z.core.JSONSchema.BaseSchema) {
  if (schema.additionalProperties === false) delete schema.additionalProperties
}

/** What a number can be at all says nothing, and is what a page would show as an example. */
function leaveUnbounded(schema: z.core.JSONSchema.BaseSchema) {
  const isBound = (value: unknown) => typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER
  if (!isBound(schema.minimum)) delete schema.minimum
  if (!isBound(schema.maximum)) delete schema.maximum
}

function override({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }) {
  leaveOpen(jsonSchema)
  leaveUnbounded(jsonSchema)
}

const jsonOf = (name: string) => ({ 'application/json': { schema: reference(name) } })

const header = (name: string, description: string, more: object = {}) => ({
  name,
  in: 'header',
  description,
  schema: { type: 'string', ...more },
})

function parametersOf({ path, tag, query = [], isCreating, isConditional }: RouteDescription) {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    description: name === 'index' ? 'Place of the benchmark in the job, from 0.' : `Id of the ${tag.slice(0, -1)}.`,
    required: true,
    schema: name === 'index' ? { type: 'integer', minimum: 0 } : { type: 'string', minLength: 1 },
  }))
  const shared = ['TransactionId', 'Tenant', 'User', ...(isCreating ? ['IdempotencyKey'] : []), ...(isConditional ? ['IfMatch'] : [])]
  return [
    ...inPath,
    ...query.map((parameter) => ({ ...parameter, in: 'query' })),
    ...shared.map((name) => ({ $ref: `#/components/parameters/${name}` })),
  ]
}

/** Every answer carries the id of its request. */
const HEADERS = { [REQUEST_ID_HEADER]: { $ref: '#/components/headers/TransactionId' } }

/** Of every route that asks who the caller is. */
const IDENTITY_ERRORS = ['request_validation_failed', 'missing_tenant_header', 'missing_user_header', 'forbidden'] as const

/** The error answers of a route, by status, with their codes. */
function errorsOf({ errors, tag }: RouteDescription) {
  const ofIdentity = tag === 'service' ? [] : IDENTITY_ERRORS
  const ofAll = [
    'uri_too_long',
    'unauthorized',
    'foreign_request',
    'method_not_allowed',
    'internal_server_error',
    'database_not_migrated',
    'unavailable',
  ] as const
  const codes = new Set<ErrorCode>([...errors, ...ofIdentity, ...ofAll])
  const byStatus = Object.groupBy(codes, (code) => String(statusOf(code)))
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, same = []]) => [
      status,
      { description: same.map((code) => `\`${code}\``).join(', '), headers: HEADERS, content: jsonOf('Error') },
    ]),
  )
}

const headerReference = (name: string) => ({ $ref: `#/components/headers/${name}` })

function operationOf(route: RouteDescription) {
  const { status, model, text } = route.success
  const headers = {
    ...HEADERS,
    ...(route.isCreating && route.success.status !== 200 && { Location: headerReference('Location') }),
    ...(route.isVersioned && { ETag: headerReference('ETag') }),
  }
  const content = text === undefined ? model && jsonOf(model) : { [text]: { schema: { type: 'string' } } }
  return {
    summary: route.summary,
    tags: [route.tag],
    operationId: `${route.method}${route.path.replace('/api/v1', '').replace(/[^a-z]+([a-z])/g, (_, letter: string) => letter.toUpperCase())}`,
    parameters: parametersOf(route),
    ...(route.body && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: reference(route.body), examples: EXAMPLES[route.example ?? route.body] } },
      },
    }),
    responses: { [status]: { description: route.summary, headers, ...(content && { content }) }, ...errorsOf(route) },
  }
}

function build() {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of ROUTES) {
    const path = route.path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method]: operationOf(route) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'EvalHub', version: 'v1', description: 'Evaluates large language models: one model, many benchmarks, any framework.' },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: { ...schemasOf(REQUESTS, 'input'), ...schemasOf(ANSWERS, 'output') },
      headers: {
        TransactionId: { description: 'Id of the request; `trace` in errors.', schema: { type: 'string' } },
        Location: { description: 'Path of what was created.', schema: { type: 'string' } },
        ETag: { description: 'Version of what is answered, for `If-Match`.', schema: { type: 'string' } },
      },
      parameters: {
        TransactionId: header(
          REQUEST_ID_HEADER,
          'Id of the request; made by the hub if absent. Comes back in the answer, and as `trace` in errors.',
        ),
        Tenant: header('X-Tenant', 'Whose things these are. Not required on a local hub.'),
        User: header('X-User', 'Who asks: owner of what is created. Not required on a local hub.'),
        IfMatch: header('If-Match', 'ETags of the versions that may be changed; anything else is refused. Absent: any version.'),
        IdempotencyKey: header('Idempotency-Key', 'Repeating a request with the same key and body creates nothing more, for 24 hours.', {
          pattern: '^[!-~]{1,255}$',
        }),
      },
    },
  }
}

let document: ReturnType<typeof build> | undefined

/** The API's description, made of the schemas that validate. Built once. */
export const openApiDocument = (): ReturnType<typeof build> => (document ??= build())
