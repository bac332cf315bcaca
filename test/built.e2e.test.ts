import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Postgres } from '#local/postgres.ts'
import { createClient } from '#sdk/index.ts'
import { runEntry } from './entry-process.ts'
import { ownEntries } from './own-entries.ts'
import { startTemporary } from './start-postgres.ts'

const entries = ownEntries()
let server: Postgres
beforeAll(async () => {
  server = await startTemporary()
})
afterAll(() => server.stop())

/** The adapter that comes with it, and the program that fetches test data, which is refused what it asks for here. */
async function expectBuiltinToRun(url: string): Promise<void> {
  const model = createServer((_, response) => response.end(JSON.stringify({ choices: [{ message: { content: 'Paris' } }] })))
  await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', resolve))
  try {
    const { evaluations } = createClient({ baseUrl: url })
    const modelUrl = `http://127.0.0.1:${(model.address() as AddressInfo).port}/v1`
    const test_data_ref = { hf: { repo_id: 'nobody/nothing' } }
    const { resource } = await evaluations.submit({
      name: 'built',
      model: { url: modelUrl, name: 'm' },
      benchmarks: [
        { provider_id: 'builtin', id: 'world_capitals', parameters: { num_examples: 2 } },
        { provider_id: 'builtin', id: 'generation', test_data_ref },
      ],
    })
    const { status } = await evaluations.wait(resource.id, { timeoutMs: 60_000 })
    expect(status.benchmarks.map((run) => [run.status, run.error_message?.message])).toEqual([
      ['completed', undefined],
      ['failed', expect.stringMatching(/test data: hf nobody\/nothing at main: .*must not be reached from here/)],
    ])
  } finally {
    model.closeAllConnections()
    model.close()
  }
}

// Guarantee: an image needs Node and this, and nothing else of the project.
test('what is built migrates, answers with its documentation page, and runs the bridge with builtin, wherever it lies', async () => {
  const built = entries.inFolder('built')
  await runEntry('local/build.ts', {}, [built])
  const DATABASE_URL = server.url
  expect(await runEntry(`${built}/app/migrate.mjs`, { DATABASE_URL })).toMatchObject({ code: 0, stderr: '' })
  const functions = await entries.start(`${built}/app/functions.mjs`, { DATABASE_URL, IDENTITY_MODE: 'none' })
  const url = String(functions.ready.url)
  for (const path of ['/readyz', '/openapi.yaml', '/docs', '/docs/swagger-ui-bundle.js']) expect((await fetch(url + path)).status).toBe(200)
  expect((await fetch(`${url}/api/v1/evaluations/providers/builtin`)).status).toBe(200)
  const local = { IDENTITY_MODE: 'none', RUNTIME: 'local', DATA_DIR: entries.inFolder('data'), CALLBACK_URL: url }
  const bridge = await entries.start(`${built}/app/bridge.mjs`, { DATABASE_URL, ...local, HF_ENDPOINT: 'http://127.0.0.1:1' })
  await vi.waitFor(async () => expect((await fetch(String(bridge.ready.metrics_url).replace('metrics', 'readyz'))).status).toBe(200))
  await expectBuiltinToRun(url)
  expect(await bridge.stop()).toMatchObject({ code: 0, stderr: '' })
})
