import { Hono } from 'hono'
import { stringify } from 'yaml'
import type { AppEnv, AppOptions } from '../env.ts'
import { openApiDocument } from '../openapi.ts'

const NEVER_CACHED = { 'Cache-Control': 'no-cache, no-store, must-revalidate', Pragma: 'no-cache', Expires: '0' }

const TYPES: Record<string, string> = { html: 'text/html; charset=utf-8', css: 'text/css', js: 'text/javascript', png: 'image/png' }

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
    <script>SwaggerUIBundle({ url: 'openapi.json', dom_id: '#api' })</script>
  </body>
</html>
`

/** The API's description, and a page to read it with. Both come from this process: no other host is asked. */
export const docs = ({ findDocsFile }: AppOptions) =>
  new Hono<AppEnv>()
    .get('/openapi.yaml', (c) => {
      const asJson = c.req.header('accept')?.includes('application/json') ?? false
      return asJson
        ? json()
        : new Response(stringify(openApiDocument()), { headers: { 'Content-Type': 'application/yaml', ...NEVER_CACHED } })
    })
    .get('/openapi.json', json)
    .get('/docs', () => new Response(page, { headers: { 'Content-Type': TYPES.html ?? '', ...NEVER_CACHED } }))
    .get('/docs/:file', async (c) => {
      const name = c.req.param('file')
      const file = await findDocsFile(name)
      if (!file) return c.notFound()
      return new Response(file, { headers: { 'Content-Type': TYPES[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream' } })
    })

const json = () => Response.json(openApiDocument(), { headers: NEVER_CACHED })
