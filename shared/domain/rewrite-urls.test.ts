import { describe, expect, test } from 'vitest'
import { DEFAULT_UPSTREAMS, rewriteUrls, type Upstreams } from './rewrite-urls.ts'

const job = {
  request: {
    model: { url: 'https://models.example:8443/llama/v1', name: 'm' },
    exports: { oci: { coordinates: { oci_host: 'registry.example', oci_repository: 'org/results' } } },
  },
}
const upstreams: Upstreams = {
  sidecarUrl: 'http://localhost:8080',
  hubUrl: 'https://hub.red.svc.cluster.local:8443',
  mlflowUrl: 'http://mlflow.example/base',
}

// Source: section 3.7 of the contract.
describe('rewriteUrls', () => {
  test.each([
    ['POST http://localhost:8080/v1/chat/completions failed', 'POST https://models.example:8443/v1/chat/completions failed'],
    ['http://localhost:8080', 'https://models.example:8443'],
    ['http://localhost:8080?a=b c', 'https://models.example:8443?a=b c'],
    ['http://localhost:8080/api/v1/evaluations/jobs/1', 'https://hub.red.svc.cluster.local:8443/api/v1/evaluations/jobs/1'],
    ['http://localhost:8080/api/v1/health', 'https://models.example:8443/api/v1/health'],
    ['http://localhost:8080/api/2.0/mlflow/runs', 'http://mlflow.example/api/2.0/mlflow/runs'],
    ['http://localhost:8080/api/3.0/mlflow', 'http://mlflow.example/api/3.0/mlflow'],
    ['http://localhost:8080/api/2.0/mlflow-artifacts/a', 'http://mlflow.example/api/2.0/mlflow-artifacts/a'],
    ['http://localhost:8080/api/2.0/mlflows', 'https://models.example:8443/api/2.0/mlflows'],
    ['http://localhost:8080/v2/org/results/blobs/1', 'https://registry.example/v2/org/results/blobs/1'],
    ['http://localhost:8080/org/results', 'https://registry.example/org/results'],
    ['http://localhost:8080/v2/org/results2', 'https://models.example:8443/v2/org/results2'],
    ['twice: http://localhost:8080/a http://localhost:8080/b', 'twice: https://models.example:8443/a https://models.example:8443/b'],
    ['http://localhost:80800/a', 'http://localhost:80800/a'],
    ['http://localhost:8080.evil.example/a', 'http://localhost:8080.evil.example/a'],
    ['(http://localhost:8080)', '(http://localhost:8080)'],
    ['http://localhost/a', 'http://localhost/a'],
    ['no url', 'no url'],
    ['', ''],
  ])('%j becomes %j', (text, expected) => {
    expect(rewriteUrls(text, job, upstreams)).toBe(expected)
  })

  test.each([
    ['http://localhost:8080/api/v1/evaluations/jobs/1 failed', '/api/v1/evaluations/jobs/1 failed'],
    ['http://localhost:8080/api/2.0/mlflow/runs?a', '/api/2.0/mlflow/runs?a'],
    ['http://localhost:8080/v1/models', '/v1/models'],
    ['http://localhost:8080 failed', '/ failed'],
  ])('%j becomes %j where what is behind it is not known', (text, expected) => {
    expect(rewriteUrls(text, { request: { model: { url: '', name: 'm' } } }, DEFAULT_UPSTREAMS)).toBe(expected)
  })

  // Guarantee: a message that names the sidecar thousands of times does not read a long address as often.
  test('looks at each address of the job once, however often a text names the sidecar', () => {
    let reads = 0
    const counting = <Part extends object>(part: Part): Part =>
      new Proxy(part, {
        get(target, key) {
          const value: unknown = Reflect.get(target, key)
          if (typeof value === 'string') reads += 1
          return typeof value === 'object' && value !== null ? counting(value) : value
        },
      })
    const text = 'http://localhost:8080/v2/org/results http://localhost:8080/a '.repeat(1000)
    expect(rewriteUrls(text, counting(job), upstreams)).toMatch(
      /^(https:\/\/registry\.example\/v2\/org\/results https:\/\/models\.example:8443\/a ){1000}$/,
    )
    expect(reads).toBeLessThan(10)
  })
})
