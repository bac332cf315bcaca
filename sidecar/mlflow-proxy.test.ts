import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'vitest'
import { requestOf, test } from './test-sidecar.ts'

test('MLflow is asked with its own token, read anew each time, and in the run’s workspace', async ({ start, upstream, folder }) => {
  const seen: unknown[] = []
  const { url } = await upstream((request, response) => {
    const { authorization, 'x-mlflow-workspace': workspace, host } = request.headers
    seen.push([request.method, request.url, authorization, workspace, host])
    void text(request).then((body) => response.end(String(body.length)))
  })
  const tokenPath = join(folder, 'mlflow-token')
  await writeFile(tokenPath, 'first\n')
  const { url: sidecar } = await start({ mlflow: { url: new URL('/base/', url), tokenPath, workspace: 'red' } })
  const headers = { authorization: 'Bearer of the adapter', 'X-MLFLOW-WORKSPACE': 'blue' }
  const path = '/api/2.0/mlflow/experiments/get-by-name?experiment_name=a%20b'
  await requestOf(sidecar, path, { headers })
  await writeFile(tokenPath, 'second')
  const upload = '/api/2.0/mlflow-artifacts/artifacts/1/a.bin'
  expect((await requestOf(sidecar, upload, { method: 'PUT', body: Buffer.alloc(2_000_000), headers })).text).toBe('2000000')
  expect(seen).toEqual([
    ['GET', `/base${path}`, 'Bearer first', 'red', url.host],
    ['PUT', `/base${upload}`, 'Bearer second', 'red', url.host],
  ])
})

test('without a token of its own it gets none, the adapter’s neither', async ({ start, upstream }) => {
  const { url } = await upstream((request, response) => void response.end(JSON.stringify(request.headers)))
  const { url: sidecar } = await start({ mlflow: { url } })
  const answer = await requestOf(sidecar, '/api/3.0/mlflow/traces', { headers: { authorization: 'Bearer of the adapter' } })
  expect(answer.text).not.toContain('authorization')
})

// Guarantee: with the service account's token an adapter tracks its run in the run's workspace, and administers nothing.
test.for([
  ['GET', '/api/3.0/mlflow/server-info', true],
  ['POST', '/api/2.0/mlflow/experiments/create', true],
  ['GET', '/api/2.0/mlflow/experiments/get-by-name?experiment_name=a', true],
  ['POST', '/api/2.0/mlflow/runs/log-batch', true],
  ['POST', '/api/2.0/mlflow/runs/search', true],
  ['GET', '/api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids=a', true],
  ['GET', '/api/2.0/mlflow/artifacts/list?run_id=a&path=workspaces/blue', true],
  ['POST', '/api/2.0/mlflow/logged-models', true],
  ['DELETE', '/api/2.0/mlflow/logged-models/m-1/tags/a', true],
  ['POST', '/api/3.0/mlflow/traces/search', true],
  ['PATCH', '/api/3.0/mlflow/traces/tr-1/assessments/a-1', true],
  ['PATCH', '/api/2.0/mlflow/traces/tr-1/tags', true],
  ['POST', '/api/3.0/mlflow/datasets/create', true],
  ['POST', '/api/2.0/mlflow/registered-models/create', true],
  ['GET', '/api/2.0/mlflow/model-versions/get-download-uri?name=a', true],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=1/a', true],
  ['PUT', '/api/2.0/mlflow-artifacts/artifacts/1/r/artifacts/a%20b.json', true],
  ['PUT', '/api/2.0/mlflow-artifacts/artifacts/workspaces/red/1/r/artifacts/a', true],
  ['POST', '/api/2.0/mlflow-artifacts/mpu/create/workspaces/red/1', true],
  ['GET', '/api/3.0/mlflow/workspaces/red', true],
  ['DELETE', '/api/3.0/mlflow/workspaces/red', false],
  ['DELETE', '/api/3.0/mlflow/workspaces/blue', false],
  ['GET', '/api/3.0/mlflow/workspaces/blue', false],
  ['GET', '/api/3.0/mlflow/workspaces', false],
  ['POST', '/api/2.0/mlflow/workspaces', false],
  ['POST', '/api/2.0/mlflow/users/create', false],
  ['PATCH', '/api/2.0/mlflow/users/update-admin', false],
  ['GET', '/api/3.0/mlflow/users/current/permissions', false],
  ['POST', '/api/3.0/mlflow/roles/assign', false],
  ['POST', '/api/2.0/mlflow/experiments/permissions/create', false],
  ['POST', '/api/2.0/mlflow/registered-models/permissions/create', false],
  ['GET', '/api/3.0/mlflow/gateway/secrets/get', false],
  ['POST', '/api/2.0/mlflow/webhooks', false],
  ['POST', '/api/3.0/mlflow/prompt-optimization/jobs', false],
  ['POST', '/api/2.0/mlflow/experiments/delete', false],
  ['DELETE', '/api/2.0/mlflow/registered-models/delete', false],
  ['POST', '/api/2.0/mlflow/graphql', false],
  ['GET', '/api/2.0/mlflow', false],
  ['GET', '/api/2.0/mlflow/runs/%67et', false],
  ['GET', '/api/2.0/mlflow/runs;x/get', false],
  ['GET', '/api/2.0/mlflow/runs/get/', false],
  ['OPTIONS', '/api/2.0/mlflow/runs/get', false],
  ['PROPFIND', '/api/2.0/mlflow-artifacts/artifacts/1', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts/workspaces/blue/1/a', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts/%77orkspaces/blue/1/a', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts/workspaces', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=workspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?PATH=/workspaces%2Fblue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=1&path=a/../../workspaces/blue', false],
  ['POST', '/api/2.0/mlflow-artifacts/mpu/create/workspaces/blue/1', false],
  ['GET', '/api/2.0/mlflow-artifacts/presigned/workspaces/blue/1', false],
  ['GET', '/api/2.0/mlflow-artifacts/other', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=%2577orkspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=%252577orkspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=workspaces%252fblue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=workspaces/red%252f..%252fblue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=workspaces/%2572ed/..%252fblue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=work%09spaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=work%0Aspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=work%250Dspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=%20workspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=+workspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=%01workspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=%2520workspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=%C2%A0workspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=work%E2%80%8Bspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=.%252e/workspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=.%09./workspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=1/%252e%252e/workspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=//host/workspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=%255C%255Chost/workspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=x:../workspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=http:workspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=file:///workspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=workspaces;a/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=workspaces%23/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=1;path=workspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?pa%2574h=workspaces/blue', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=%2525252525252525251', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts/%20workspaces/blue/1', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts/workspaces%20/blue/1', false],
  ['PUT', '/api/2.0/mlflow-artifacts/artifacts/file:workspaces/blue/1', false],
  ['DELETE', '/api/2.0/mlflow-artifacts/artifacts/workspaces/red%20/1', false],
  ['POST', '/api/2.0/mlflow-artifacts/mpu/complete/%20workspaces/blue/1', false],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=1/r/artifacts/a+b%20c', true],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=1/r/artifacts/100%25', true],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=1/r/artifacts/50%2525.json', true],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=workspaces/red/1/r/a%20%C3%A4%E6%A8%A1%20(1)+%2B%3A%23;b', true],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=1/r/workspaces/blue', true],
  ['GET', '/api/2.0/mlflow-artifacts/artifacts?path=', true],
  ['PUT', '/api/2.0/mlflow-artifacts/artifacts/1/r/artifacts/%E6%A8%A1%E5%9E%8B%20a+b%25:c%F0%9F%91%A9%E2%80%8D%F0%9F%92%BB.json', true],
  ['PUT', '/api/2.0/mlflow-artifacts/artifacts/1/r/artifacts/workspaces%20of%20mine.json', true],
] as const)('%s %s is asked: %s', async ([method, path, isAsked], { start, upstream }) => {
  const asked: string[] = []
  const { url } = await upstream((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.end()
  })
  const { url: sidecar } = await start({ mlflow: { url, workspace: 'red' } })
  const { status, text } = await requestOf(sidecar, path, { method })
  expect([status, asked]).toEqual(isAsked ? [200, [`${method} ${path}`]] : [403, []])
  if (!isAsked) expect(text).toMatch(/An adapter keeps experiments|The artifacts of this run are in the workspace/)
})

// Where nobody else's token and session is, nobody answers with it.
test.for(['/ajax-api/2.0/mlflow/upload-artifact', '/graphql', '/version', '/api/2.0/gateway/routes/'])(
  '%s is not MLflow’s',
  async (path, { start, upstream }) => {
    const asked: unknown[] = []
    const { url } = await upstream((request, response) => {
      asked.push(request.url)
      response.end()
    })
    const { url: sidecar } = await start({ mlflow: { url, workspace: 'red' } })
    expect((await requestOf(sidecar, path)).status).toBe(400)
    expect(asked).toEqual([])
  },
)
