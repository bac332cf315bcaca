import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { expect } from 'vitest'
import { test } from '#db/test-db.ts'
import packageJson from '../package.json' with { type: 'json' }
import { mendPostgres } from './mend-postgres.ts'

const inProject = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url))
const LOST_CONNECTION = inProject('local/test-lost-connection.ts')
const goesOn = [1, 2, 3, 4, 5].map((round) => `round ${round}: CONNECTION_CLOSED, then answered\n`).join('')

async function run(args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 15_000 })
  return stdout
}

// Without the repairs the program ends in its first round.
test('run from its sources, a program whose database goes away in a transaction goes on', async ({ databaseUrl }) => {
  const preload = pathToFileURL(inProject('local/mended-sources.ts')).href
  expect(await run(['--import', preload, LOST_CONNECTION, databaseUrl])).toBe(goesOn)
})

test('built, it goes on as well', async ({ databaseUrl }) => {
  const directory = await mkdtemp(join(tmpdir(), 'evalhub-driver-'))
  try {
    const outfile = join(directory, 'program.mjs')
    await build({ entryPoints: [LOST_CONNECTION], outfile, bundle: true, platform: 'node', format: 'esm', plugins: [mendPostgres] })
    expect(await run([outfile, databaseUrl])).toBe(goesOn)
  } finally {
    await rm(directory, { recursive: true })
  }
})

test.each(['start', 'start:functions', 'start:bridge', 'migrate', 'dev:worker', 'demo'] as const)(
  'npm run %s has its driver mended',
  (script) => {
    expect(packageJson.scripts[script]).toMatch(/^node --import \.\/local\/mended-sources\.ts /)
  },
)
