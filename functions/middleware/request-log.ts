import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { AnsweredRequest, AppEnv } from '../env.ts'

/** Tells of each request when its answer is ready. What a streamed body does after that is known to the runtime only. */
export const requestLog = (onAnswered: (request: AnsweredRequest, runtime: unknown) => void): MiddlewareHandler<AppEnv> =>
  async function requestLog(c, next) {
    await next()
    const { requestId, tenant, user } = c.var
    const { method, path } = c.req
    const caller = { ...(tenant !== undefined && { tenant }), ...(user !== undefined && { user }) }
    onAnswered({ requestId, method, route: routeOf(c), path, status: c.res.status, ...caller }, c.env)
  }

/** The app's last word on a path is its whole pattern: routes are registered after what stands before them. */
function routeOf(c: Context<AppEnv>): string | undefined {
  const pattern = matchedRoutes(c).at(-1)?.path
  return pattern === undefined || pattern.includes('*') ? undefined : published(pattern)
}

const names = new Map<string, string>()

/** The pattern in the published server's words: `/api/v1/evaluations/jobs/{job_id}`. */
function published(pattern: string): string {
  const known = names.get(pattern)
  if (known !== undefined) return known
  const [, noun = 'item'] = /\/(job|provider|collection)s\/:id/.exec(pattern) ?? []
  const name = pattern
    .replace(':id', `{${noun}_id}`)
    .replace(':index', '{benchmark_index}')
    .replace(/:(\w+)/g, '{$1}')
  names.set(pattern, name)
  return name
}
