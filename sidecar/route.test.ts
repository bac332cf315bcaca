import { expect, test } from 'vitest'
import { routeOf, type Route } from './route.ts'

test.each<[string, Route]>([
  ['/health', 'health'],
  ['/health?x', 'health'],
  ['/health/live', 'model'],
  ['/api/v1/evaluations/jobs/1/events', 'hub'],
  ['/api/v1/evaluations/providers?x=1', 'hub'],
  ['/api/v1/evaluations', 'model'],
  ['/api/2.0/mlflow', 'mlflow'],
  ['/api/2.0/mlflow/runs/create', 'mlflow'],
  ['/api/3.0/mlflow/traces', 'mlflow'],
  ['/api/2.0/mlflow-artifacts/artifacts/a', 'mlflow'],
  ['/api/2.0/mlflowx', 'model'],
  ['/v2/', 'oci'],
  ['/v2', 'model'],
  ['/v2/org/repo/manifests/a', 'oci'],
  ['/prefix/v2/org/repo/blobs/uploads/?x=/y', 'oci'],
  ['/org/repo/blobs', 'oci'],
  ['/v2/org/repository/manifests/a', 'model'],
  ['/v2/other/org/repo', 'model'],
  ['/v1/chat/completions?a=../b', 'model'],
  ['/v1/models/..hidden', 'model'],
  ['/v1/../api/v1/evaluations/jobs', 'malformed'],
  ['/api/2.0/mlflow/%2e%2E/admin', 'malformed'],
  ['/v2/org/repo/..%2f..%2fother', 'malformed'],
  ['/v2/org/repo%2f../other', 'malformed'],
  ['/v2/org/repo/./a', 'malformed'],
  ['/v2/org/repo/..', 'malformed'],
  ['/a/..\\b', 'malformed'],
  ['http://elsewhere/v1', 'malformed'],
  ['*', 'malformed'],
])('%s is for %s', (target, route) => {
  expect(routeOf(target, 'org/repo')).toBe(route)
})

test('without a registry all its paths are the model’s', () => {
  expect(routeOf('/v2/org/repo/manifests/a')).toBe('model')
  expect(routeOf('/v2/')).toBe('model')
})
