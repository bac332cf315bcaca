import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import closingLine from './test/closing-line.ts'

const exclude = ['**/node_modules/**', '.evalhub/**', 'dist/**']
const architecture = ['test/architecture.test.ts', 'test/*.static.test.ts']
const endToEnd = ['test/**/*.e2e.test.ts']
const cluster = ['**/*.cluster.test.ts']

/** A test that ends without having asserted anything fails: lint sees only whether one is written, not whether it is reached. */
const expectations = { requireAssertions: true }

// Tests start some hundred programs from their sources: what Node has compiled of them once, it reads. Half of each start is saved.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, 'node_modules/.cache/node')

export default defineConfig({
  test: {
    reporters: ['default', closingLine],
    silent: 'passed-only', // adapters speak to standard output
    maxWorkers: '100%', // tests wait for the database more than they compute
    projects: [
      /** What needs no database: part of `npm run check`. */
      { test: { name: 'architecture', include: architecture, exclude, expect: expectations } },
      {
        test: {
          name: 'unit',
          expect: expectations,
          include: ['**/*.test.ts'],
          exclude: [...exclude, ...architecture, ...endToEnd, ...cluster],
          globalSetup: 'test/start-postgres.ts',
          testTimeout: 20_000,
          hookTimeout: 20_000,
        },
      },
      /** What needs a Kubernetes API server; skipped where there is none. */
      {
        test: {
          name: 'cluster',
          expect: expectations,
          include: cluster,
          exclude,
          globalSetup: ['test/start-postgres.ts', 'test/start-cluster.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      /** Whole hubs, each with a database of its own. */
      { test: { name: 'e2e', include: endToEnd, exclude, expect: expectations, testTimeout: 120_000, hookTimeout: 120_000 } },
    ],
  },
})
