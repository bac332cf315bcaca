import { Hono } from 'hono'
import { html } from 'hono/html'
import { NOSNIFF } from '../answer.ts'
import type { AppEnv, AppOptions } from '../env.ts'

/** Where the page is, and the style sheet that it loads. */
export const WELCOME = '/'
const STYLE = '/welcome.css'

const style = `:root { color-scheme: light dark; --text: #1d2330; --faint: #566072; --page: #fbfbfd; --box: #eef0f5; --link: #0a58c2 }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9f0; --faint: #a3acbd; --page: #14171d; --box: #20252f; --link: #8ab8ff } }
body { margin: 3rem auto; max-width: 44rem; padding: 0 1.25rem; font: 1rem/1.55 system-ui, sans-serif; color: var(--text); background: var(--page) }
h1 { margin: 0; font-size: 1.9rem }
h1 small { font-size: 1rem; font-weight: normal; color: var(--faint) }
h2 { margin: 2rem 0 0.5rem; font-size: 1.1rem }
p, dd { color: var(--faint) }
a { color: var(--link) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.3rem 1.25rem; margin: 0 }
dd { margin: 0 }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 0.9rem 1rem; border-radius: 0.5rem; background: var(--box); font: 0.85rem/1.5 ui-monospace, monospace }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: 0.6rem } }
`

/** With the first command of README.md for a hub that runs. */
const page = (base: string, release = '') =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>EvalHub</title>
        <link rel="stylesheet" href="welcome.css" />
        <link rel="icon" href="data:," />
      </head>
      <body>
        <h1>EvalHub <small>${release}</small></h1>
        <p>Evaluates large language models: one model, many benchmarks, any framework. This hub is running.</p>
        <h2>Here</h2>
        <dl>
          <dt><a href="docs">/docs</a></dt>
          <dd>the API, to read and to try</dd>
          <dt><a href="openapi.json">/openapi.json</a></dt>
          <dd>the same for programs; also as <a href="openapi.yaml">YAML</a></dd>
          <dt><a href="api/v1/evaluations/jobs">/api/v1/evaluations/jobs</a></dt>
          <dd>the jobs, newest first</dd>
          <dt><a href="api/v1/evaluations/collections">/api/v1/evaluations/collections</a></dt>
          <dd>the collections that a job may name</dd>
          <dt><a href="api/v1/health">/api/v1/health</a></dt>
          <dd>that this hub answers; <a href="readyz">/readyz</a>: that its database does</dd>
        </dl>
        <h2>The first job</h2>
        <p>With a model that this machine serves; README.md says more.</p>
        <pre>${commandFor(base)}</pre>
      </body>
    </html> `

const commandFor = (base: string) => `curl -s ${base}/api/v1/evaluations/jobs -d '{
  "name": "first",
  "model": { "url": "http://localhost:11434/v1", "name": "llama3.2" },
  "benchmarks": [{ "provider_id": "builtin", "id": "arithmetic_problems", "parameters": { "num_examples": 50 } }]
}'`

/** The page runs nothing, asks for its style sheet only, and is shown in no other page's frame. */
const POLICY = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "style-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'Cache-Control': 'no-cache, no-store, must-revalidate',
  ...NOSNIFF,
}

/** For a person who opens the address of a hub on their own machine: what is here. Answers HEAD too. */
export const welcome = ({ release }: Pick<AppOptions, 'release'>) =>
  new Hono<AppEnv>()
    .get(WELCOME, async (c) => {
      const text = await page(new URL(c.req.url).origin, release)
      return new Response(String(text), { headers: { 'Content-Type': 'text/html; charset=utf-8', ...POLICY } })
    })
    .get(STYLE, () => new Response(style, { headers: { 'Content-Type': 'text/css; charset=utf-8', ...POLICY } }))
