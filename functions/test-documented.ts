import { expect } from 'vitest'
import { ANSWERS, openApiDocument } from './openapi.ts'
import { ROUTES } from './openapi-routes.ts'

const patterns = ROUTES.map((route) => ({ ...route, pattern: new RegExp(`^${route.path.replace(/:\w+/g, '[^/]+')}$`) }))

type Documented = { responses: Record<string, { description: string } | undefined> }
type Given = { status: number; type: string; body: any } // oxlint-disable-line typescript/no-explicit-any -- of any route

/**
 * Fails unless the API's description has this answer for this route: its status, of an error its code, and of a success each member.
 * Requests to no route of the description, and the plain text of a path that is none, are passed over.
 */
export function expectDocumented(method: string, path: string, { status, type, body }: Given): void {
  const route = patterns.find((candidate) => candidate.method.toUpperCase() === method && candidate.pattern.test(path))
  if (!route || (status === 404 && type.startsWith('text/plain'))) return
  const operation = openApiDocument().paths[route.path.replace(/:(\w+)/g, '{$1}')]?.[route.method] as Documented
  const documented = operation.responses[String(status)]
  const what = `${method} ${route.path} answers ${status} ${body?.message_code ?? ''}`
  expect(documented, `${what}, which its description lacks`).toBeDefined()
  if (status >= 400) expect(`${what}, documented: ${documented?.description}`).toContain(`\`${body.message_code}\``)

  const model = status < 300 ? route.success.model : 'Error'
  if (model !== undefined) expect(ANSWERS[model]?.parse(body), `${what}, and its body is no ${model}`).toEqual(body)
}
