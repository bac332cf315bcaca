import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bundleWorker, WORKER } from '#local/worker-bundle.ts'

/** All that the Worker may ask of its runtime: what the database driver needs, under `nodejs_compat`. */
const BUILT_IN = ['cloudflare:sockets', 'node:buffer', 'node:events', 'node:stream']

/** The folders and packages that the Worker is made of. A new one is looked at before it is let in: it must run on workerd. */
const MADE_OF = ['db', 'functions', 'shared', 'hono', 'jose', 'postgres', 'rfc6902', 'yaml', 'zod']

async function madeOf(entry: string): Promise<{ builtIn: string[]; origins: string[]; text: string }> {
  const { text, metafile } = await bundleWorker(entry)
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports)
  const origin = (file: string) => /^node_modules\/(@[^/]+\/[^/]+|[^/]+)/.exec(file)?.[1] ?? file.split('/')[0]!
  return {
    builtIn: [...new Set(imports.filter(({ external }) => external).map(({ path }) => path))].sort(),
    origins: [...new Set(Object.keys(metafile.inputs).map(origin))].sort(),
    text,
  }
}

test('the Worker needs of Node only what its database driver needs, and no package that runs on Node alone', async () => {
  const { builtIn, origins } = await madeOf(WORKER)
  expect(builtIn).toEqual(BUILT_IN)
  expect(origins).toEqual([...MADE_OF].sort())
})

test.each([
  ['functions/docs-files.ts', 'node:fs/promises'],
  ['db/migrate.ts', 'node:crypto'],
])('%s would be found by it', async (entry, found) => {
  expect(BUILT_IN).not.toContain(found)
  expect((await madeOf(entry)).builtIn).toContain(found)
})

test('the server of Node and its environment stay out of the Worker, and it runs nothing by the clock', async () => {
  const { text } = await madeOf(WORKER)
  expect(text).not.toMatch(/prom-client|drizzle|@hono\/node-server|setInterval\(/)
  expect((await madeOf('local/listen.ts')).origins).toContain('@hono/node-server')
})

test('the Worker that is looked at here is the one that is deployed', () => {
  const settings = readFileSync(join(import.meta.dirname, '../wrangler.toml'), 'utf8')
  expect(settings).toContain('\nmain = "dist/worker.mjs"\nno_bundle = true\n')
  expect(settings).toContain('\n[build]\ncommand = "node local/build-worker.ts"\n')
})
