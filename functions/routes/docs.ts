import { Hono } from 'hono'
import { stringify } from 'yaml'
import { NOSNIFF } from '../answer.ts'
import type { AppEnv, AppOptions } from '../env.ts'
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

/** The API's description, and a page to read it with. Both come from this process: no other host is asked. */
export const docs = ({ findDocsFile }: AppOptions) =>
  new Hono<AppEnv>()
    .get('/openapi.yaml', (c) => {
      const asJson = c.req.header('accept')?.includes('application/json') ?? false
      return asJson
        ? json()
        : new Response(stringify(openApiDocument()), { headers: { 'Content-Type': 'application/yaml', ...NEVER_CACHED, ...POLICY } })
    })
    .get('/openapi.json', json)
    .get('/docs', () => new Response(page, { headers: { 'Content-Type': 'text/html; charset=utf-8', ...NEVER_CACHED, ...POLICY } }))
    .get('/docs/:file', async (c) => {
      const name = c.req.param('file')
      if (name === START) return new Response(start, { headers: { 'Content-Type': 'text/javascript', ...POLICY } })
      const type = FILES.get(name)
      return type === undefined ? c.notFound() : new Response(await findDocsFile(name), { headers: { 'Content-Type': type, ...POLICY } })
    })

const json = () => Response.json(openApiDocument(), { headers: { ...NEVER_CACHED, ...POLICY } })
