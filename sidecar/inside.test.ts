import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { fetchTestData } from './init/fetch-test-data.ts'
import { readInitConfig } from './init/config.ts'
import { hubOf, requestOf, test as base } from './test-sidecar.ts'

/** Every place at which somebody names where the sidecar goes: `ask(url)` names it, and has the sidecar go there; what it said. */
const test = base.extend('doors', async ({ start, upstream, folder }) => {
  const hub = hubOf()
  const asked: string[] = []
  const { url } = await upstream((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    hub.listener(request, response)
  })
  const secretPath = join(folder, 'secret')
  await mkdir(secretPath)
  const { url: other } = await upstream((_, response) => void response.end())
  const oci = (host: string) => ({ oci: { host, repository: 'org/repo', authPath: join(folder, 'none') } })
  const askFor = async (settings: Parameters<typeof start>[0], path: string, headers = {}) =>
    requestOf((await start({ hub: { url }, ...settings })).url, path, { headers })
  return {
    url,
    asked,
    ask: {
      model: (to: string) => askFor({ model: { url: new URL(to) } }, '/v1/models'),
      async judge(to: string) {
        await writeFile(join(secretPath, 'judge_api-key'), 'key')
        await writeFile(join(secretPath, 'judge_url'), to)
        return askFor({ model: { url: other, secretPath } }, '/v1/models', { authorization: 'Bearer judge_api-key:ref' })
      },
      mlflow: (to: string) => askFor({ mlflow: { url: new URL(to) } }, '/api/2.0/mlflow/runs/get'),
      registry: (to: string) => askFor(oci(to), '/v2/org/repo/tags/list'),
      async tokens(to: string) {
        const { url: registry } = await upstream(
          (_, response) =>
            void response.writeHead(401, { 'www-authenticate': `Bearer realm="${to.replace(/[^!-~]/g, encodeURIComponent)}"` }).end(),
        )
        return askFor(oci(registry.origin), '/v2/org/repo/tags/list')
      },
    },
  }
})

const DOORS = ['model', 'judge', 'mlflow', 'registry', 'tokens'] as const

/** The hub's address by other names. */
const SPELLINGS = [
  '127.0.0.1',
  'localhost',
  'LOCALHOST',
  '127.1',
  '0x7f.0.0.1',
  '017700000001',
  '2130706433',
  '１２７.0.0.1',
  '[::ffff:127.0.0.1]',
  '127.0.0.1.',
]

// Guarantee: no URL of anybody, of a redirecting or challenging server either, leads to the hub, whatever it is called.
describe.for(DOORS)('the %s', (door) => {
  test.for(SPELLINGS)('is not the hub as %s', async (host, { doors: { url, ask, asked } }) => {
    const answer = await ask[door](`http://${host}:${url.port}`)
    expect(answer).toMatchObject({ status: 403, text: expect.stringContaining('leads to EvalHub itself') })
    expect(asked).toEqual([])
  })
})

describe('test data do not come from', () => {
  test.for(SPELLINGS)('the hub as %s', async (host, { doors: { url, asked }, folder }) => {
    const secret = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'secret', AWS_S3_ENDPOINT: `http://${host}:${url.port}` }
    await mkdir(join(folder, 's3'))
    for (const [key, value] of Object.entries(secret)) await writeFile(join(folder, 's3', key), value)
    const config = readInitConfig({
      TEST_DATA_S3_BUCKET: 'bucket',
      TEST_DATA_S3_KEY: 'key',
      TEST_DATA_DIRECTORY: join(folder, 'data'),
      TEST_DATA_SECRET_DIRECTORY: join(folder, 's3'),
      TEST_DATA_ALLOWED_RANGES: '127.0.0.0/8,::1/128',
      TEST_DATA_HUB_URLS: url.href,
    })
    await expect(fetchTestData(config)).rejects.toThrow('must not be reached from here')
    expect(asked).toEqual([])
  })
})
