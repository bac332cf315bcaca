import { ROUTES, type RouteDescription } from './openapi-routes.ts'
import { event, JOB } from './test-app.ts'

/** Things of one tenant that a route can be asked about. */
export type Things = { jobs: string; providers: string; collections: string }

export type Asked = { method: string; path: string; body: unknown }

const bodiesOf = ({ jobs }: Partial<Things>): Record<string, unknown> => ({
  EvaluationJobConfig: JOB,
  JobBatch: { jobs: [JOB, { ...JOB, name: 'second' }] },
  JobIds: { ids: [jobs ?? crypto.randomUUID()] },
  StatusEvent: event('running', { phase: 'loading_data' }),
  ProviderConfig: { name: 'mine', benchmarks: [{ id: 'b', name: 'B' }] },
  CollectionConfig: { name: 'mine', category: 'general', benchmarks: [{ id: 'first', provider_id: 'frame' }] },
  Patch: [{ op: 'replace', path: '/name', value: 'patched' }],
})

const nameOf = ({ method, path }: RouteDescription) => `${method.toUpperCase()} ${path}`

/** Every route that belongs to a tenant, by its name: `GET /api/v1/evaluations/jobs/:id`. */
export const TENANT_ROUTES = ROUTES.filter(({ tag }) => tag !== 'service').map((route) => ({ name: nameOf(route), route }))

/** A request of `route` that is good in every way, about these things. Bodies of routes are above: a new one is missing there. */
export function requestOf({ method, path, tag, body }: RouteDescription, things: Partial<Things>): Asked {
  const bodies = bodiesOf(things)
  if (body !== undefined && !(body in bodies)) throw new Error(`no body for ${body}`)
  const noun = tag === 'service' ? '' : (things[tag] ?? crypto.randomUUID())
  return {
    method: method.toUpperCase(),
    path: path.replace('/api/v1/evaluations', '').replace(':id', noun).replace(':index', '0'),
    body: body === undefined ? undefined : bodies[body],
  }
}

export const isEvents = ({ path }: RouteDescription): boolean => path.endsWith('/events')
