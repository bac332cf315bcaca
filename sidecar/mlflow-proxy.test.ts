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
