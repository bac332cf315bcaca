import { afterAll, beforeAll, expect } from 'vitest'
import { makeRunToken } from '#shared/run-token.ts'
import { makeNamespace, test as base } from './cluster.ts'
import { askFromPod, type Question } from './node/ask-from-pod.ts'
import { groundOfEnvironment, installHub, NO_NODE, type Ground, type InstalledHub } from './node/installed-hub.ts'

/** `infra/kubernetes/oidc-cluster` on a real node: service accounts are callers by tokens that the cluster's API server signs. */

const ground = groundOfEnvironment()
const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted' }
const JOBS = '/api/v1/evaluations/jobs'

let world: (Ground & { hub: InstalledHub; a: string; b: string }) | undefined
const stack = new AsyncDisposableStack()

/** What the cluster calls itself, and its address as pods without names reach it. */
async function issuerOf({ api }: Ground): Promise<Record<string, string>> {
  const token = await api.core.createNamespacedServiceAccountToken({
    namespace: 'default',
    name: 'default',
    body: { spec: { audiences: [] } },
  })
  const [, payload = ''] = (token.status?.token ?? '').split('.')
  const { iss } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { iss: string }
  const { spec } = await api.core.readNamespacedService({ namespace: 'default', name: 'kubernetes' })
  return { OIDC_ISSUER: iss, OIDC_JWKS_URL: `https://${spec?.clusterIP}/openid/v1/jwks` }
}

beforeAll(async () => {
  if (!ground) return
  const namespaceOf = async () => {
    const name = await makeNamespace(ground.api, RESTRICTED)
    stack.defer(async () => void (await ground.api.core.deleteNamespace({ name })))
    return name
  }
  const [namespace, a, b] = [await namespaceOf(), await namespaceOf(), await namespaceOf()]
  const hub = await installHub(ground, { folder: 'oidc-cluster', namespace, settings: await issuerOf(ground) })
  stack.defer(() => hub.stop())
  world = { ...ground, hub, a, b }
})
afterAll(() => stack.disposeAsync())

const test = base.extend('world', async ({ skip }) => world ?? skip(NO_NODE))

const JOB = {
  name: 'own issuer',
  model: { url: 'http://localhost:1/v1', name: 'm' },
  benchmarks: [{ provider_id: 'builtin', id: 'arithmetic_problems' }],
}
const RUNNING = { benchmark_status_event: { provider_id: 'builtin', id: 'arithmetic_problems', benchmark_index: 0, status: 'running' } }

test('a token that the cluster made for this hub is its account’s, in its namespace; any other is nobody’s', async ({ world: own }) => {
  const { api, images, hub, a, b } = own
  const url = `http://${hub.podAddress}:8080${JOBS}`
  const TOKEN = { Authorization: 'Bearer TOKEN' }
  const ask = (audience: string | undefined, questions: Record<string, Question>) =>
    askFromPod(api, { image: images.evalhub, namespace: a, account: 'default', tls: hub.tls, ...(audience && { audience }) }, questions)
  const told = await ask('evalhub', {
    submit: { url, method: 'POST', headers: { ...TOKEN, 'X-User': 'bob' }, body: JOB },
    'its tenant': { url, headers: { ...TOKEN, 'X-Tenant': a } },
    'another tenant': { url, headers: { ...TOKEN, 'X-Tenant': b } },
    'no token': { url, headers: { 'X-Tenant': a, 'X-User': 'bob' } },
  })
  expect(Object.fromEntries(Object.entries(told).map(([name, { status }]) => [name, status]))).toEqual({
    submit: 202,
    'its tenant': 200,
    'another tenant': 403,
    'no token': 401,
  })
  const { resource } = JSON.parse(told.submit?.text ?? '') as { resource: { id: string } }
  expect(resource).toMatchObject({ tenant: a, owner: `system:serviceaccount:${a}:default` })

  const token = await makeRunToken(hub.runTokenKey, { evaluationId: resource.id, benchmarkIndex: 0, attempt: 1 })
  const events = `http://${hub.podAddress}:8083${JOBS}/${resource.id}/events`
  const other = await ask(undefined, {
    'a token for the API server': { url, headers: TOKEN },
    'that token, at the port for events': { url: events, method: 'POST', headers: TOKEN, body: RUNNING },
    'the run’s own token': { url: events, method: 'POST', headers: { Authorization: `Bearer ${token}` }, body: RUNNING },
  })
  expect(Object.values(other).map(({ status }) => status)).toEqual([401, 401, 204])
})
