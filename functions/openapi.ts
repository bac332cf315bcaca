import { z } from 'zod'
import { statusOf, type ErrorCode } from '#shared/errors.ts'
import { Collection, CollectionConfig } from '#shared/models/collection.ts'
import { EvaluationJob, EvaluationJobConfig } from '#shared/models/evaluation.ts'
import { StatusEvent } from '#shared/models/event.ts'
import { pageOf } from '#shared/models/page.ts'
import { Provider, ProviderConfig } from '#shared/models/provider.ts'
import { REQUEST_ID_HEADER } from './answer.ts'
import { ROUTES, type RouteDescription } from './openapi-routes.ts'

/** What goes in: as a client may write it. */
const REQUESTS: Record<string, z.ZodType> = {
  EvaluationJobConfig,
  StatusEvent,
  ProviderConfig,
  CollectionConfig,
  Patch: z.array(z.object({ op: z.enum(['add', 'remove', 'replace']), path: z.string().min(1), value: z.unknown().optional() })).nullable(),
}

/** What comes out: as the hub answers it. */
const ANSWERS: Record<string, z.ZodType> = {
  EvaluationJob,
  EvaluationJobPage: pageOf(EvaluationJob),
  Provider,
  ProviderPage: pageOf(Provider),
  Collection,
  CollectionPage: pageOf(Collection),
  Health: z.object({ status: z.literal('healthy'), timestamp: z.iso.datetime() }),
  Error: z.object({ message_code: z.string(), message: z.string(), trace: z.string() }),
}

const schemasOf = (models: Record<string, z.ZodType>, io: 'input' | 'output') =>
  Object.fromEntries(
    Object.entries(models).map(([name, model]) => {
      const { $schema: _, ...schema } = z.toJSONSchema(model, { io, unrepresentable: 'any' })
      return [name, schema]
    }),
  )

const reference = (name: string) => ({ $ref: `#/components/schemas/${name}` })
const jsonOf = (name: string) => ({ 'application/json': { schema: reference(name) } })

const header = (name: string, description: string) => ({ name, in: 'header', description, schema: { type: 'string' } })

function parametersOf({ path, query = [], isCreating }: RouteDescription) {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))
  const shared = ['TransactionId', 'Tenant', 'User', ...(isCreating ? ['IdempotencyKey'] : [])]
  return [
    ...inPath,
    ...query.map((parameter) => ({ ...parameter, in: 'query' })),
    ...shared.map((name) => ({ $ref: `#/components/parameters/${name}` })),
  ]
}

/** The error answers of a route, by status, with their codes. */
function errorsOf(codes: readonly ErrorCode[]) {
  const all: readonly ErrorCode[] = [...codes, 'foreign_request', 'method_not_allowed', 'internal_server_error', 'unavailable']
  const byStatus = Object.groupBy(all, (code) => String(statusOf(code)))
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, same = []]) => [
      status,
      { description: same.map((code) => `\`${code}\``).join(', '), content: jsonOf('Error') },
    ]),
  )
}

function operationOf(route: RouteDescription) {
  const { status, model, text } = route.success
  const content = text === undefined ? model && jsonOf(model) : { [text]: { schema: { type: 'string' } } }
  return {
    summary: route.summary,
    tags: [route.tag],
    operationId: `${route.method}${route.path.replace('/api/v1', '').replace(/[^a-z]+([a-z])/g, (_, letter: string) => letter.toUpperCase())}`,
    parameters: parametersOf(route),
    ...(route.body && { requestBody: { required: true, content: jsonOf(route.body) } }),
    responses: { [status]: { description: route.summary, ...(content && { content }) }, ...errorsOf(route.errors) },
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
      parameters: {
        TransactionId: header(
          REQUEST_ID_HEADER,
          'Id of the request; made by the hub if absent. Comes back in the answer, and as `trace` in errors.',
        ),
        Tenant: header('X-Tenant', 'Whose things these are. Not required on a local hub.'),
        User: header('X-User', 'Who asks: owner of what is created. Not required on a local hub.'),
        IdempotencyKey: header('Idempotency-Key', 'Repeating a request with the same key and body creates nothing more, for 24 hours.'),
      },
    },
  }
}

let document: ReturnType<typeof build> | undefined

/** The API's description, made of the schemas that validate. Built once. */
export const openApiDocument = (): ReturnType<typeof build> => (document ??= build())
