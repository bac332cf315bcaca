import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { RbacAuthorizationV1Api } from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, vi } from 'vitest'
import { parseAllDocuments } from 'yaml'
import type { KubernetesApi } from '#k8s-bridge/kubernetes/api.ts'
import { startToyModel, type ToyModel } from '#local/toy-model.ts'
import { makeRunToken } from '#shared/run-token.ts'
import { makeNamespace, test as base } from './cluster.ts'
import { findBinaries } from './control-plane.ts'
import { render, type Manifest } from './manifests/kustomize.ts'
import { askFromPod, type Question } from './node/ask-from-pod.ts'
import { groundOfEnvironment, installHub, NO_NODE, type Ground, type InstalledHub } from './node/installed-hub.ts'

/** The installation of `infra/kubernetes`, on a real node and without a network plug-in that would keep anybody away: what its doors hold by themselves. */

const ground = groundOfEnvironment()

const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted' }
const JOBS = '/api/v1/evaluations/jobs'
/** As the bridge labels them: nobody need be told from a run. */
const RUN = { app: 'evalhub', component: 'evaluation-job' }

type World = Ground & {
  hub: InstalledHub
  /** Tenants. */
  a: string
  b: string
  /** Jobs of `b`. */
  bobs: string[]
  model: ToyModel
}

let world: World | undefined
const stack = new AsyncDisposableStack()

beforeAll(async () => {
  if (!ground) return
  const { api } = ground
  const namespaceOf = async () => {
    const name = await makeNamespace(api, RESTRICTED)
    stack.defer(async () => void (await api.core.deleteNamespace({ name })))
    return name
  }
  const [namespace, a, b] = [await namespaceOf(), await namespaceOf(), await namespaceOf()]
  const hub = await installHub(ground, { folder: 'base', namespace })
  stack.defer(() => hub.stop())
  for (const tenant of [a, b]) await hub.admit(tenant)
  await bindUser(api, hub, { namespace: a, account: 'ada', role: 'evalhub-evaluator' })
  await bindUser(api, hub, { namespace: a, account: 'vic', role: 'evalhub-viewer' })
  await bindUser(api, hub, { namespace: b, account: 'bob', role: 'evalhub-evaluator' })
  // Of an account that the tenant's pods have, and nobody has given anything to.
  await api.core.createNamespacedServiceAccount({ namespace: a, body: { metadata: { name: 'adapter' } } })
  const model = await startToyModel()
  stack.defer(() => model.stop())
  world = { ...ground, hub, a, b, bobs: [], model }
})
afterAll(() => stack.disposeAsync())

async function bindUser(
  { core, config }: KubernetesApi,
  hub: InstalledHub,
  { namespace, account: name, role }: { namespace: string; account: string; role: string },
): Promise<void> {
  await core.createNamespacedServiceAccount({ namespace, body: { metadata: { name } } })
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: `${hub.namespace}-${role}` }
  const body = { metadata: { name }, roleRef, subjects: [{ kind: 'ServiceAccount', name, namespace }] }
  await config.makeApiClient(RbacAuthorizationV1Api).createNamespacedRoleBinding({ namespace, body })
}

const test = base.extend('world', async ({ skip }) => world ?? skip(NO_NODE))

const JOB = {
  name: 'door',
  model: { url: 'http://localhost:1/v1', name: 'm' },
  benchmarks: [{ provider_id: 'builtin', id: 'arithmetic_problems' }],
}
/** What nobody but the tenant `b` may read. */
const SECRET = 'a secret of b'
const RUNNING = { benchmark_status_event: { provider_id: 'builtin', id: 'arithmetic_problems', benchmark_index: 0, status: 'running' } }
const TOKEN = { Authorization: 'Bearer TOKEN' }

/** Asks as a pod of a tenant; with `account`, as that account. */
const ask = <Name extends string>(
  { api, images, hub, a }: World,
  who: { account?: string; labels?: Record<string, string>; namespace?: string },
  questions: Record<Name, Question>,
) => askFromPod(api, { image: images.evalhub, namespace: a, tls: hub.tls, ...who }, questions)

/** Which status a path is sent elsewhere with depends on the proxy's release. */
const statusesOf = <Name extends string>(told: Record<Name, { status: number | string }>) =>
  Object.fromEntries(
    Object.entries<{ status: number | string }>(told).map(([name, { status }]) => [
      name,
      /^30[17]$/.test(String(status)) ? 'moved' : status,
    ]),
  )

const idOf = ({ text }: { text: string }) => (JSON.parse(text) as { resource: { id: string } }).resource.id

const httpsOf = ({ hub }: World) => `https://${hub.podAddress}:8443`

/** A job of the tenant `b`, by its own user. */
async function submitAsBob(own: World): Promise<{ id: string; token: string }> {
  const { submit } = await ask(
    own,
    { namespace: own.b, account: 'bob' },
    {
      submit: { url: httpsOf(own) + JOBS, method: 'POST', headers: { ...TOKEN, 'X-Tenant': own.b }, body: { ...JOB, name: SECRET } },
    },
  )
  expect(submit).toMatchObject({ status: 202 })
  const id = idOf(submit)
  own.bobs.push(id)
  return { id, token: await makeRunToken(own.hub.runTokenKey, { evaluationId: id, benchmarkIndex: 0, attempt: 1 }) }
}

describe('a pod of a run', () => {
  test('is nobody at any port, whatever it calls itself', async ({ world: own }) => {
    const { hub, b } = own
    const at = (port: number, path = JOBS) => `http://${hub.podAddress}:${port}${path}`
    const https = httpsOf(own)
    const forged = { 'X-Tenant': b, 'X-User': 'bob', 'X-Groups': 'system:masters', 'X-Proxy-Secret': 'x'.repeat(32) }
    const bobs = await submitAsBob(own)
    const told = await ask(
      own,
      { labels: RUN },
      {
        'the API itself': { url: at(8080), headers: forged },
        'the proxy, with headers': { url: https + JOBS, headers: forged },
        'the proxy, with a token of its own making': { url: https + JOBS, headers: { ...forged, Authorization: 'Bearer a.b.c' } },
        'the proxy, with the token of a run': { url: https + JOBS, headers: { ...forged, Authorization: `Bearer ${bobs.token}` } },
        'the proxy, as a client of HTTP': { url: at(8443), headers: forged },
        'the proxy, by a path that is open': { url: https, path: `/api/v1/health/../evaluations/jobs`, headers: forged },
        'the proxy, by an encoded path': { url: https, path: `/api/v1/health%2f..%2fevaluations/jobs`, headers: forged },
        'the proxy, by a doubled slash': { url: https, path: `//api/v1/evaluations/jobs`, headers: forged },
        'the proxy, by a whole URL': { url: https, path: `http://127.0.0.1:8080${JOBS}`, headers: forged },
        'the proxy, through a tunnel': { url: https, path: '127.0.0.1:8080', method: 'CONNECT', headers: forged },
        'the proxy’s health': { url: `https://${hub.podAddress}:8444/healthz` },
        'the API at the proxy’s health': { url: `https://${hub.podAddress}:8444${JOBS}`, headers: forged },
        'the API at the port for events': { url: at(8083), headers: forged },
        'a submit at the port for events': { url: at(8083), method: 'POST', headers: forged, body: JOB },
        'events without a token': { url: at(8083, `${JOBS}/${bobs.id}/events`), method: 'POST', headers: forged, body: RUNNING },
        'the API at the port for metrics': { url: at(8081), headers: forged },
        'a port that nobody listens on': { url: at(8082), headers: forged },
      },
    )
    expect(statusesOf(told)).toEqual({
      'the API itself': 'ECONNREFUSED',
      'the proxy, with headers': 401,
      'the proxy, with a token of its own making': 401,
      'the proxy, with the token of a run': 401,
      'the proxy, as a client of HTTP': 400,
      'the proxy, by a path that is open': 'moved',
      'the proxy, by an encoded path': 401,
      'the proxy, by a doubled slash': 'moved',
      'the proxy, by a whole URL': 401,
      'the proxy, through a tunnel': 404,
      'the proxy’s health': 200,
      'the API at the proxy’s health': 404,
      'the API at the port for events': 404,
      'a submit at the port for events': 404,
      'events without a token': 401,
      'the API at the port for metrics': 404,
      'a port that nobody listens on': 'ECONNREFUSED',
    })
    for (const { text } of Object.values(told)) expect(text).not.toContain(SECRET)
  })

  test('is no more with a token of the cluster that nobody has given a role', async ({ world: own }) => {
    const { a, b } = own
    const url = httpsOf(own) + JOBS
    const told = await ask(
      own,
      { labels: RUN, account: 'adapter' },
      {
        'its own tenant': { url, headers: { ...TOKEN, 'X-Tenant': a } },
        'another tenant': { url, headers: { ...TOKEN, 'X-Tenant': b, 'X-User': 'bob' } },
        'no tenant': { url, headers: TOKEN },
        'the whole cluster': { url, headers: { ...TOKEN, 'X-Tenant': '' } },
      },
    )
    expect(statusesOf(told)).toEqual({ 'its own tenant': 403, 'another tenant': 403, 'no tenant': 400, 'the whole cluster': 403 })
  })

  test('reports for its own run, and for no other', async ({ world: own }) => {
    const [mine, others] = [await submitAsBob(own), await submitAsBob(own)]
    const events = (id: string) => `http://${own.hub.podAddress}:8083${JOBS}/${id}/events`
    const post = (id: string, headers: Record<string, string>, body: unknown = RUNNING): Question => ({
      url: events(id),
      method: 'POST',
      headers,
      body,
    })
    const bearer = { Authorization: `Bearer ${mine.token}` }
    const second = { benchmark_status_event: { ...RUNNING.benchmark_status_event, benchmark_index: 1 } }
    const told = await ask(
      own,
      { labels: RUN },
      {
        'its own': post(mine.id, bearer),
        'another run': post(others.id, bearer),
        'another run, with headers': post(others.id, { ...bearer, 'X-Tenant': own.b, 'X-User': 'bob' }),
        'another benchmark': post(mine.id, bearer, second),
        'a later attempt': post(mine.id, { Authorization: `Bearer ${mine.token.replace('.0.1.', '.0.2.')}` }),
        'to read its job': { url: `http://${own.hub.podAddress}:8083${JOBS}/${mine.id}`, headers: bearer },
        'its own, by the users’ door': { ...post(mine.id, bearer), url: `${httpsOf(own)}${JOBS}/${mine.id}/events` },
      },
    )
    expect(statusesOf(told)).toEqual({
      'its own': 204,
      'another run': 401,
      'another run, with headers': 401,
      'another benchmark': 403,
      'a later attempt': 401,
      'to read its job': 404,
      'its own, by the users’ door': 401,
    })
  })
})

describe('a user', () => {
  test('is who the cluster says, in the tenants where the cluster gives a role, whatever headers say', async ({ world: own }) => {
    const { a, b } = own
    const url = httpsOf(own) + JOBS
    const bobs = await submitAsBob(own)
    const mine = { ...TOKEN, 'X-Tenant': a }
    const told = await ask(
      own,
      { account: 'ada' },
      {
        'its tenant': { url, headers: mine },
        'a submit under another name': { url, method: 'POST', headers: { ...mine, 'X-User': ['bob', 'system'] }, body: JOB },
        'another tenant': { url, headers: { ...TOKEN, 'X-Tenant': b } },
        'another tenant’s job in its own': { url: `${url}/${bobs.id}`, headers: mine },
        'two tenants': { url, headers: { ...TOKEN, 'X-Tenant': [a, b] } },
        'its tenant twice': { url, headers: { ...TOKEN, 'X-Tenant': [a, a] } },
        'two tenants in one': { url, headers: { ...TOKEN, 'X-Tenant': `${a}, ${b}` } },
        'a tenant in other letters': { url, headers: { ...TOKEN, 'X-Tenant': a.toUpperCase() } },
        'all tenants': { url, headers: { ...TOKEN, 'X-Tenant': '' } },
        'a tenant that is a pattern': { url, headers: { ...TOKEN, 'X-Tenant': '*' } },
        'a tenant that is a template': { url, headers: { ...TOKEN, 'X-Tenant': '{{ .Value }}' } },
        'a tenant of another spelling beside its own': { url, headers: { ...mine, X_Tenant: b, 'X-Tenant-': b } },
        'the user’s header taken away': { url, headers: { ...mine, 'X-User': 'bob', Connection: 'X-User' } },
        'the tenant’s header taken away': { url, headers: { ...mine, Connection: 'X-Tenant' } },
        'all headers at once': { url, headers: { ...mine, 'X-User': 'bob', Connection: 'X-Tenant, X-User, X-Groups' } },
        'another method': { url, method: 'HEAD', headers: mine },
        'a method that is overridden': { url: `${url}/${bobs.id}`, headers: { ...mine, 'X-HTTP-Method-Override': 'DELETE' } },
        'an event': { url: `${url}/${bobs.id}/events`, method: 'POST', headers: mine, body: RUNNING },
      },
    )
    const { 'a submit under another name': submitted, ...refused } = told
    expect(statusesOf(refused)).toEqual({
      'its tenant': 200,
      'another tenant': 403,
      'another tenant’s job in its own': 404,
      'two tenants': 403,
      'its tenant twice': 400,
      'two tenants in one': 403,
      'a tenant in other letters': 403,
      'all tenants': 403,
      'a tenant that is a pattern': 403,
      'a tenant that is a template': 403,
      'a tenant of another spelling beside its own': 200,
      'the user’s header taken away': 400,
      'the tenant’s header taken away': 400,
      'all headers at once': 400,
      'another method': 403,
      'a method that is overridden': 404,
      'an event': 403,
    })
    expect(JSON.parse(submitted.text)).toMatchObject({ resource: { tenant: a, owner: `system:serviceaccount:${a}:ada` } })
    for (const { text } of Object.values(told)) expect(text).not.toContain(SECRET)
  })

  test('who may only look, looks', async ({ world: own }) => {
    const url = httpsOf(own) + JOBS
    const headers = { ...TOKEN, 'X-Tenant': own.a }
    const told = await ask(
      own,
      { account: 'vic' },
      {
        look: { url, headers },
        submit: { url, method: 'POST', headers, body: JOB },
        cancel: { url: `${url}/0197a5c0-1234-7abc-8def-0123456789ab`, method: 'DELETE', headers },
      },
    )
    expect(statusesOf(told)).toEqual({ look: 200, submit: 403, cancel: 403 })
  })

  test('needs no token to ask whether the hub is well', async ({ world: own }) => {
    expect(statusesOf(await ask(own, {}, { health: { url: `${httpsOf(own)}/api/v1/health` } }))).toEqual({ health: 200 })
  })
})

test('a job that a user submits through the proxy completes, and reports on the port for events', async ({ world: own }) => {
  const { hub, host, a, model } = own
  // The jobs of other tests would run before it.
  const cancel = { method: 'DELETE', headers: { ...TOKEN, 'X-Tenant': own.b } }
  const cancels = Object.fromEntries(own.bobs.map((id) => [id, { ...cancel, url: `${httpsOf(own)}${JOBS}/${id}` }]))
  expect(Object.values(statusesOf(await ask(own, { namespace: own.b, account: 'bob' }, cancels)))).toEqual(own.bobs.map(() => 204))
  await hub.startBridge()
  const url = httpsOf(own) + JOBS
  const headers = { ...TOKEN, 'X-Tenant': a }
  const body = {
    name: 'whole',
    model: { url: `http://${host}:${new URL(model.url).port}/v1`, name: model.name },
    benchmarks: [{ provider_id: 'builtin', id: 'arithmetic_problems', parameters: { num_examples: 4 } }],
  }
  const { submit } = await ask(own, { account: 'ada' }, { submit: { url, method: 'POST', headers, body } })
  expect(submit).toMatchObject({ status: 202 })
  const id = idOf(submit)
  await vi.waitFor(
    async () => {
      const { job } = await ask(own, { account: 'ada' }, { job: { url: `${url}/${id}`, headers } })
      expect(JSON.parse(job.text)).toMatchObject({ status: { state: 'completed' } })
    },
    { timeout: 100_000, interval: 1000 },
  )
})

const kubectl = join(findBinaries() ?? '', 'kubectl')

test.for(['base', 'oidc', 'oidc-cluster', 'example', 'tenant'])(
  'what kubectl makes of infra/kubernetes/%s is what the tests here read',
  async (folder, { skip }) => {
    const path = join(import.meta.dirname, '../infra/kubernetes', folder)
    const { stdout } = await promisify(execFile)(kubectl, ['kustomize', path]).catch((error: { code?: unknown }) =>
      error.code === 'ENOENT' ? skip('there is no kubectl beside etcd and kube-apiserver') : Promise.reject(error),
    )
    const sorted = (manifests: Manifest[]) =>
      manifests.toSorted((one, other) => `${one.kind} ${one.metadata.name}`.localeCompare(`${other.kind} ${other.metadata.name}`))
    expect(sorted(render(path))).toEqual(sorted(parseAllDocuments(stdout).map((document) => document.toJS() as Manifest)))
  },
)
