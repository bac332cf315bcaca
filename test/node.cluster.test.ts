import { createHash } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { SchedulingV1Api } from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, vi } from 'vitest'
import type { KubernetesApi } from '#k8s-bridge/kubernetes/api.ts'
import { registryIsMissing, startRegistry } from '#sidecar/test-registry.ts'
import { test as base } from './cluster.ts'
import { startHubBeside, type HubBeside } from './node/hub-beside.ts'
import { makeFolder, removeFolder } from './temporary-folder.ts'

/** What really happens on a real node, each as a user sees it: the class, the sentence, the attempts. */

const { KUBECONFIG: kubeconfig, EVALHUB_TEST_IMAGE: image, EVALHUB_TEST_HOST: host } = process.env
const NO_NODE =
  'there is no node to run on: set KUBECONFIG, EVALHUB_TEST_IMAGE (EvalHub’s image, as the node has it) and EVALHUB_TEST_HOST (where pods reach this machine’s loopback)'

const noRegistry = registryIsMissing()
if (noRegistry) console.log(`Samples are not read back from a registry: ${noRegistry}`)

let hub: HubBeside | undefined

beforeAll(async () => {
  if (kubeconfig && image && host) hub = await startHubBeside({ kubeconfig, image, host })
})
afterAll(() => hub?.stop())

const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted' }

const test = base
  .extend('hub', async ({ skip }) => hub ?? skip(NO_NODE))
  .extend('tenant', async ({ makeNamespace }) => makeNamespace(RESTRICTED))

type Benchmark = { provider_id?: string; id: string } & Record<string, unknown>

async function submit(
  { call, modelUrl, modelName }: HubBeside,
  tenant: string,
  benchmark: Benchmark,
  { model = {}, ...more }: { model?: object; exports?: object } = {},
): Promise<string> {
  const job = {
    name: 'node',
    model: { url: modelUrl, name: modelName, ...model },
    benchmarks: [{ provider_id: 'behaviour', ...benchmark }],
    ...more,
  }
  const { status, body } = await call(tenant, 'POST', '', job)
  expect({ status, body }).toMatchObject({ status: 202 })
  return body.resource.id
}

const runOf = async ({ call }: HubBeside, tenant: string, id: string) => (await call(tenant, 'GET', `/${id}`)).body.status.benchmarks[0]

/** The classes of the attempts, in order; null for one that did not fail. */
const classesOf = async ({ call }: HubBeside, tenant: string, id: string) =>
  (await call(tenant, 'GET', `/${id}/benchmarks/0/attempts`)).body.items.map(
    ({ failure_class }: { failure_class?: string }) => failure_class ?? null,
  )

const becomes = (own: HubBeside, tenant: string, id: string, status: string) =>
  vi.waitFor(
    async () => {
      const run = await runOf(own, tenant, id)
      expect(run).toMatchObject({ status })
      return run
    },
    { timeout: 110_000, interval: 500 },
  )

const podOf = (api: KubernetesApi, namespace: string, attempt = 1) =>
  vi.waitFor(
    async () => {
      const { items } = await api.core.listNamespacedPod({ namespace, labelSelector: `eval-hub.github.io/attempt=${attempt}` })
      const pod = items.find(({ status }) => status?.phase === 'Running')
      expect(pod).toBeDefined()
      return pod!
    },
    { timeout: 60_000, interval: 200 },
  )

const FAILS = [
  ['adapter_exit', { id: 'exit' }, /exit code 7.*The tokenizer has no pad token/s],
  ['oom', { id: 'grow' }, /memory/i],
  ['deadline', { id: 'hang', parameters: { timeout_seconds: 5 } }, /longer than its limit of 5 s.*timeout_seconds/],
  ['image_pull', { provider_id: 'nowhere', id: 'any' }, /localhost\/nowhere:1/],
  ['unschedulable', { id: 'fits', hardware_config: { cpu: { request: '9000', limit: '9000' } } }, /cpu/i],
  ['missing_volume', { id: 'fits', test_data_ref: { pvc: { claim_name: 'nothing' } } }, /nothing/],
  ['init_failed', { id: 'fits', test_data_ref: { git: { url: 'https://localhost.invalid/x.git', ref: 'main' } } }, /localhost\.invalid/],
  ['missing_config', { id: 'fits', hardware_config: { hardware_profile_name: 'nothing' } }, /nothing/],
  ['rejected', { id: 'fits', hardware_config: { memory: { request: '2Gi', limit: '1Gi' } } }, /memory/i],
] as const

describe.concurrent('on a node', () => {
  test('a whole evaluation outlives its pod and its namespace: results, attempts and logs', async ({ hub: own, api, makeNamespace }) => {
    const tenant = await makeNamespace(RESTRICTED)
    const id = await submit(own, tenant, { provider_id: 'builtin', id: 'arithmetic_problems', parameters: { num_examples: 8 } })
    await becomes(own, tenant, id, 'completed')
    await vi.waitFor(async () => expect((await own.call(tenant, 'GET', `/${id}/logs`)).text).toMatch(/=== pod=evalhub-.*\n.+/), {
      timeout: 10_000,
    })
    await api.core.deleteNamespace({ name: tenant })
    await vi.waitFor(async () => await expect(api.core.readNamespace({ name: tenant })).rejects.toThrow(/not found/), { timeout: 60_000 })
    const { body } = await own.call(tenant, 'GET', `/${id}`)
    const [result] = body.results.benchmarks
    expect(Object.keys(result.metrics)).toContain('score')
    expect(result.additional_info.statistics.score).toMatchObject({ planned: 8, scored: 8, failed: 0 })
    expect(result.additional_info.model_usage.requests).toBeGreaterThanOrEqual(8)
    expect(await classesOf(own, tenant, id)).toEqual([null])
    expect((await own.call(tenant, 'GET', `/${id}/logs`)).text).toMatch(/=== pod=evalhub-.* container=adapter .*\n.+/)
  })

  test.skipIf(noRegistry)(
    'its samples outlive them in the registry that the job names',
    async ({ hub: own, api, makeNamespace, onTestFinished }) => {
      const folder = await makeFolder()
      const registry = await startRegistry(folder)
      onTestFinished(async () => {
        registry.stop()
        await removeFolder(folder)
      })
      const tenant = await makeNamespace(RESTRICTED)
      const coordinates = { oci_host: `http://${host}:${registry.host.split(':')[1]}`, oci_repository: 'team/results' }
      const benchmark = { provider_id: 'builtin', id: 'arithmetic_problems', parameters: { num_examples: 8 } }
      const id = await submit(own, tenant, benchmark, { exports: { oci: { coordinates } } })
      const { warning_message } = await becomes(own, tenant, id, 'completed')
      expect(warning_message).toBeUndefined()
      await api.core.deleteNamespace({ name: tenant })
      const { artifacts } = (await own.call(tenant, 'GET', `/${id}`)).body.results.benchmarks[0]
      const get = async (path: string) => {
        const accept = 'application/vnd.oci.image.manifest.v1+json'
        return Buffer.from(await (await fetch(`http://${registry.host}/v2/team/results/${path}`, { headers: { accept } })).arrayBuffer())
      }
      const { layers } = JSON.parse((await get(`manifests/${artifacts.oci_digest}`)).toString())
      // A tar of one file: a block that names it, then the file.
      const samples = gunzipSync(await get(`blobs/${layers[0].digest}`)).subarray(512, 512 + artifacts.samples.bytes)
      expect(createHash('sha256').update(samples).digest('hex')).toBe(artifacts.samples.sha256)
      expect(samples.toString().trim().split('\n')).toHaveLength(8)
    },
  )

  test('a run that names no registry says that its samples are gone', async ({ hub: own, tenant }) => {
    const id = await submit(own, tenant, { provider_id: 'builtin', id: 'arithmetic_problems', parameters: { num_examples: 2 } })
    expect((await becomes(own, tenant, id, 'completed')).warning_message).toMatchObject({ message_code: 'artifacts_not_kept' })
  })

  test.for(FAILS)(
    '%s is said in its class and in a sentence to act on',
    async ([failureClass, benchmark, sentence], { hub: own, tenant }) => {
      const id = await submit(own, tenant, benchmark)
      const run = await becomes(own, tenant, id, 'failed')
      expect(run.error_message.message).toMatch(sentence)
      expect(new Set(await classesOf(own, tenant, id))).toEqual(new Set([failureClass]))
    },
  )

  test('a Secret that is missing is named, in its class', async ({ hub: own, tenant }) => {
    const id = await submit(own, tenant, { id: 'fits' }, { model: { auth: { secret_ref: 'nothing' } } })
    const run = await becomes(own, tenant, id, 'failed')
    expect(run.error_message.message).toMatch(/Secret.*nothing/)
    expect(await classesOf(own, tenant, id)).toEqual(['missing_secret'])
  })

  test('a quota that leaves no room is named, in its class', async ({ hub: own, tenant, api }) => {
    const body = { metadata: { name: 'none' }, spec: { hard: { pods: '0' } } }
    await api.core.createNamespacedResourceQuota({ namespace: tenant, body })
    const id = await submit(own, tenant, { id: 'fits' })
    const run = await becomes(own, tenant, id, 'failed')
    expect(run.error_message.message).toMatch(/quota/)
    expect(await classesOf(own, tenant, id)).toEqual(['quota'])
  })

  test('a run that ran out of memory gets more, until it fits', async ({ hub: own, tenant }) => {
    const id = await submit(own, tenant, { id: 'needs' })
    await becomes(own, tenant, id, 'completed')
    expect(await classesOf(own, tenant, id)).toEqual(['oom', null])
  })

  test('a run that is evicted gets another attempt', async ({ hub: own, tenant, api }) => {
    const id = await submit(own, tenant, { id: 'hang' })
    await becomes(own, tenant, id, 'running')
    const { metadata } = await podOf(api, tenant)
    await api.core.createNamespacedPodEviction({ namespace: tenant, name: metadata!.name!, body: { metadata: { name: metadata!.name! } } })
    await podOf(api, tenant, 2)
    expect((await classesOf(own, tenant, id))[0]).toBe('evicted')
    expect((await own.call(tenant, 'DELETE', `/${id}`)).status).toBe(204)
  })

  test('a run whose Job vanished gets another attempt', async ({ hub: own, tenant, api }) => {
    const id = await submit(own, tenant, { id: 'hang' })
    await becomes(own, tenant, id, 'running')
    await podOf(api, tenant)
    await api.batch.deleteNamespacedJob({ namespace: tenant, name: `evalhub-${id}-0-1`, body: { propagationPolicy: 'Background' } })
    await podOf(api, tenant, 2)
    expect((await classesOf(own, tenant, id))[0]).toBe('vanished')
    expect((await own.call(tenant, 'DELETE', `/${id}`)).status).toBe(204)
  })

  test('a cancelled run leaves nothing in its namespace', async ({ hub: own, tenant, api }) => {
    const id = await submit(own, tenant, { id: 'hang' })
    await becomes(own, tenant, id, 'running')
    expect((await own.call(tenant, 'DELETE', `/${id}`)).status).toBe(204)
    await vi.waitFor(
      async () => {
        const [jobs, pods, secrets] = await Promise.all([
          api.batch.listNamespacedJob({ namespace: tenant }),
          api.core.listNamespacedPod({ namespace: tenant }),
          api.core.listNamespacedSecret({ namespace: tenant }),
        ])
        expect([...jobs.items, ...pods.items, ...secrets.items]).toEqual([])
      },
      { timeout: 60_000, interval: 500 },
    )
  })
})

// Others would have to make room as well.
test('a run that is preempted gets another attempt once there is room again', async ({ hub: own, tenant, api, onTestFinished }) => {
  const id = await submit(own, tenant, { id: 'hang', hardware_config: { cpu: { request: '1', limit: '1' } } })
  await becomes(own, tenant, id, 'running')
  const { spec } = await podOf(api, tenant)
  const node = await api.core.readNode({ name: spec!.nodeName! })
  const scheduling = api.config.makeApiClient(SchedulingV1Api)
  await scheduling.createPriorityClass({ body: { metadata: { name: tenant }, value: 1000 } })
  onTestFinished(async () => void (await scheduling.deletePriorityClass({ name: tenant })))
  const cpu = `${Number(node.status?.allocatable?.cpu) * 1000 - 500}m`
  const container = {
    name: 'pause',
    image: image!,
    command: ['node', '-e', 'setInterval(() => {}, 1000)'],
    resources: { requests: { cpu } },
  }
  const other = await api.core.createNamespacedPod({
    namespace: 'default',
    body: {
      metadata: { generateName: 'important-' },
      spec: { priorityClassName: tenant, terminationGracePeriodSeconds: 0, containers: [container] },
    },
  })
  const gone = () => api.core.deleteNamespacedPod({ namespace: 'default', name: other.metadata!.name!, gracePeriodSeconds: 0 })
  await vi
    .waitFor(async () => expect((await classesOf(own, tenant, id))[0]).toBe('preempted'), { timeout: 60_000, interval: 500 })
    .finally(gone)
  await podOf(api, tenant, 2)
  expect((await own.call(tenant, 'DELETE', `/${id}`)).status).toBe(204)
})
