import { Hono, type Context } from 'hono'
import { stringify } from 'yaml'
import { hexOf } from '#shared/hex.ts'
import { NOSNIFF } from '../answer.ts'
import type { AppEnv, AppOptions } from '../env.ts'
import { fewAtOnce } from '../middleware/few-at-once.ts'
import { openApiDocument } from '../openapi.ts'

const NEVER_CACHED = { 'Cache-Control': 'no-cache, no-store, must-revalidate', Pragma: 'no-cache', Expires: '0' }

/** What the page loads, and its types; nothing else of the package is served. */
const FILES = new Map([
  ['swagger-ui.css', 'text/css'],
  ['swagger-ui-bundle.js', 'text/javascript'],
  ['favicon-32x32.png', 'image/png'],
])

/** Names of those files. */
export const DOCS_FILES: readonly string[] = [...FILES.keys()]

/** Begins the page. A file of its own, so that the page runs no script that stands in it. */
const START = 'start.js'
const start = "SwaggerUIBundle({ url: 'openapi.json', dom_id: '#api', validatorUrl: null })\n"

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>EvalHub API</title>
    <link rel="stylesheet" href="docs/swagger-ui.css" />
    <link rel="icon" type="image/png" href="docs/favicon-32x32.png" />
  </head>
  <body>
    <div id="api"></div>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/${START}"></script>
  </body>
</html>
`

/** Whatever a description holds runs nothing, asks this hub only, and is shown in no other page's frame. Pictures of the style sheet are in its text. */
const POLICY = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  ...NOSNIFF,
}

/** Each may wait for a reader that does not read, with at most as much as a file has. */
const PLACES = 16

/** What is sent, and the tag that names it. */
type Text = { bytes: Uint8Array<ArrayBuffer>; tag: string }

/** Made when it is first asked for, then the same for all: not a byte of it is made or copied for anybody. */
function keeper() {
  const kept = new Map<string, Text>()
  return async (name: string, make: () => string | Promise<Uint8Array<ArrayBuffer>>): Promise<Text> => {
    const known = kept.get(name)
    if (known) return known
    const made = await make()
    const bytes = typeof made === 'string' ? new TextEncoder().encode(made) : made
    const text = { bytes, tag: `"${hexOf(await crypto.subtle.digest('SHA-256', bytes))}"` }
    kept.set(name, text)
    return text
  }
}

/** `If-None-Match` compares weakly (RFC 9110, 13.1.2). */
function send(c: Context<AppEnv>, { bytes, tag }: Text, headers: Record<string, string>): Response {
  const known = c.req.header('if-none-match')?.split(',') ?? []
  const isKnown = known.some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === tag)
  const all = { ...headers, ...POLICY, ETag: tag }
  return isKnown ? new Response(null, { status: 304, headers: all }) : new Response(bytes, { headers: all })
}

/** The API's description, and a page to read it with. Both come from this process: no other host is asked. */
export function docs({ findDocsFile }: AppOptions) {
  const textOf = keeper()
  const places = fewAtOnce(PLACES)
  const json = async (c: Context<AppEnv>) => {
    const text = await textOf('openapi.json', () => JSON.stringify(openApiDocument()))
    return send(c, text, { 'Content-Type': 'application/json', ...NEVER_CACHED })
  }
  return new Hono<AppEnv>()
    .get('/openapi.yaml', places, async (c) => {
      if (c.req.header('accept')?.includes('application/json')) return json(c)
      const text = await textOf('openapi.yaml', () => stringify(openApiDocument()))
      return send(c, text, { 'Content-Type': 'application/yaml', ...NEVER_CACHED })
    })
    .get('/openapi.json', places, json)
    .get('/docs', async (c) => send(c, await textOf('', () => page), { 'Content-Type': 'text/html; charset=utf-8', ...NEVER_CACHED }))
    .get('/docs/:file', places, async (c) => {
      const name = c.req.param('file')
      const type = name === START ? 'text/javascript' : FILES.get(name)
      if (type === undefined) return c.notFound()
      const text = await textOf(name, () => (name === START ? start : findDocsFile(name)))
      return send(c, text, { 'Content-Type': type, 'Cache-Control': 'no-cache' })
    })
}
