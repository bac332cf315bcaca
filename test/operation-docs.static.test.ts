import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import type { Pool } from '#db/client.ts'
import { FUNCTIONS_SETTINGS } from '#functions/config.ts'
import { createHeldMetrics } from '#functions/held-metrics.ts'
import { createMemory } from '#functions/memory.ts'
import { MEMORY } from '#functions/open-app.ts'
import { createRequestMetrics } from '#functions/request-metrics.ts'
import { BRIDGE_SETTINGS } from '#k8s-bridge/config.ts'
import { createGauges } from '#k8s-bridge/gauges.ts'
import { createOwnMetrics } from '#k8s-bridge/own-metrics.ts'
import type { Setting } from '#shared/settings.ts'

const document = readFileSync(join(import.meta.dirname, '../docs/operation.md'), 'utf8')

const code = (text: string) => `\`${text}\``

const rowOf = ({ name, aliases, path, fallback, description }: Setting) =>
  `| ${[name, ...aliases].map(code).join(', ')} | ${code(path)} | ${fallback === undefined ? '' : code(fallback)} | ${description} |`

/** The rows below a heading, to the next one. */
const rowsBelow = (heading: string) =>
  (document.split(`\n${heading}\n`)[1]?.split('\n#')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'))

// Guarantee: what the page says of settings is what the processes read. To mend it, copy the rows that are expected.
describe.each([
  ['### Functions', FUNCTIONS_SETTINGS],
  ['### Bridge', BRIDGE_SETTINGS],
])('%s of docs/operation.md', (heading, settings) => {
  test('has every setting, and no other', () => {
    expect(rowsBelow(heading)).toEqual(settings.map(rowOf))
  })
})

test('docs/operation.md has every metric of ours, and no other', () => {
  const registry = new Registry()
  createRequestMetrics(registry, { scheme: 'http', host: 'h', port: 1 })
  const none = () => 0
  createHeldMetrics({ registry, memory: createMemory(MEMORY), connections: none, requests: none })
  createOwnMetrics(registry)
  // Nothing is asked of the database before a scrape.
  createGauges({ registry, db: {} as Pool, runtime: 'local' })
  const documented = rowsBelow('## Metrics').flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name))
  expect(documented.sort()).toEqual(
    registry
      .getMetricsAsArray()
      .map(({ name }) => name)
      .sort(),
  )
})

// Guarantee: what was measured is what runs, whichever way the functions are started.
test('functions are started with the same options everywhere', () => {
  const read = (path: string) => readFileSync(join(import.meta.dirname, '..', path), 'utf8')
  const optionsIn = (line = '') => line.match(/--(max|no)-[a-z-]+(=\d+)?/g)
  const lineOf = (path: string, mark: string) =>
    read(path)
      .split('\n')
      .find((line) => line.includes(mark))
  const expected = optionsIn(lineOf('package.json', '"start:functions"'))
  expect(expected).toHaveLength(3)
  expect(optionsIn(lineOf('infra/images/Containerfile', 'CMD'))).toEqual(expected)
  expect(optionsIn(lineOf('infra/kubernetes/base/functions.yaml', '/app/functions.mjs'))).toEqual(expected)
  expect(optionsIn(lineOf('docs/operation.md', 'dist/app/functions.mjs`'))).toEqual(expected)
  for (const path of ['infra/images/Containerfile', 'docs/operation.md', 'bench/built-functions.ts']) {
    expect(read(path)).toMatch(/MALLOC_ARENA_MAX(=|: ')1/)
  }
})
