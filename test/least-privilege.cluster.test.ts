import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type {
  RbacV1Subject,
  V1ClusterRole,
  V1ClusterRoleBinding,
  V1ObjectMeta,
  V1RoleBinding,
  V1ServiceAccount,
} from '@kubernetes/client-node'
import { AuthorizationV1Api, RbacAuthorizationV1Api } from '@kubernetes/client-node'
import { describe, expect, vi } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { cancelEvaluation } from '#db/commands/cancel-evaluation.ts'
import { recordEvent } from '#db/commands/record-event.ts'
import { getHubId } from '#db/queries/hub-id.ts'
import { specFor, storedRuns, submitSpecs } from '#db/test-evaluation.ts'
import { startBridge } from '#k8s-bridge/bridge.ts'
import type { KubernetesApi } from '#k8s-bridge/kubernetes/api.ts'
import { openKubernetesRuntime } from '#k8s-bridge/kubernetes/open-runtime.ts'
import { settings } from '#k8s-bridge/kubernetes/test-attempt.ts'
import { collect, endPod, jobOf, runPod } from '#k8s-bridge/kubernetes/test-kubelet.ts'
import { signal } from '#k8s-bridge/test-bridge.ts'
import { BenchmarkStatusEvent } from '#shared/models/event.ts'
import { bareTest as base } from './cluster.ts'

type Manifest = { kind: string; metadata: V1ObjectMeta; subjects?: RbacV1Subject[] }

const manifestsOf = (file: string): Manifest[] =>
  parseAllDocuments(readFileSync(join(import.meta.dirname, '../infra/kubernetes', file), 'utf8')).map(
    (document) => document.toJS() as Manifest,
  )

/**
 * Applies a file of the installation, as kustomize would, with EvalHub in `own` and its cluster roles under names of their own. What needs a
 * namespace goes to `target`.
 */
async function applyRbac(api: KubernetesApi, file: string, { own, target }: { own: string; target: string }): Promise<() => Promise<void>> {
  const rbac = api.config.makeApiClient(RbacAuthorizationV1Api)
  const named = (name = '') => `${own}-${name}`
  const undo: (() => Promise<unknown>)[] = []
  for (const manifest of manifestsOf(file)) {
    const { kind, metadata } = manifest
    const subjects = manifest.subjects?.map((subject) => ({ ...subject, namespace: own }))
    const bound = (binding: V1ClusterRoleBinding | V1RoleBinding) => ({ ...binding.roleRef, name: named(binding.roleRef.name) })
    if (kind === 'ServiceAccount') await api.core.createNamespacedServiceAccount({ namespace: target, body: manifest as V1ServiceAccount })
    else if (kind === 'ClusterRole') {
      const name = named(metadata.name)
      await rbac.createClusterRole({ body: { ...(manifest as V1ClusterRole), metadata: { name } } })
      undo.push(() => rbac.deleteClusterRole({ name }))
    } else if (kind === 'ClusterRoleBinding') {
      const name = named(metadata.name)
      await rbac.createClusterRoleBinding({
        body: { metadata: { name }, roleRef: bound(manifest as V1ClusterRoleBinding), subjects: subjects! },
      })
      undo.push(() => rbac.deleteClusterRoleBinding({ name }))
    } else if (kind === 'RoleBinding') {
      const body = { metadata, roleRef: bound(manifest as V1RoleBinding), subjects: subjects! }
      await rbac.createNamespacedRoleBinding({ namespace: target, body })
    } else throw new Error(`${file} has a ${kind}, which this test does not know`)
  }
  return async () => void (await Promise.all(undo.map((one) => one())))
}

/** `test` with EvalHub's own namespace and a tenant's, as the installation leaves them, and the bridge's service account. */
const test = base
  .extend('own', async ({ makeNamespace }) => makeNamespace())
  .extend('tenant', async ({ makeNamespace }) => makeNamespace({ 'pod-security.kubernetes.io/enforce': 'restricted' }))
  .extend('bridge', async ({ api, own, tenant, connectAs }, { onCleanup }) => {
    onCleanup(await applyRbac(api, 'base/rbac.yaml', { own, target: own }))
    await applyRbac(api, 'tenant/bridge-role-binding.yaml', { own, target: tenant })
    const bridge = await connectAs(own, 'evalhub-bridge')
    // The API server learns of new bindings a moment after it has stored them.
    await vi.waitUntil(async () => (await may(bridge, '', 'watch', 'pods')) && (await may(bridge, tenant, 'get', 'secrets')))
    return bridge
  })

async function may({ config }: KubernetesApi, namespace: string, verb: string, resource: string, group = ''): Promise<boolean | undefined> {
  const [name, subresource] = resource.split('/')
  const resourceAttributes = { namespace, verb, group, resource: name!, ...(subresource && { subresource }) }
  const reviews = config.makeApiClient(AuthorizationV1Api)
  const { status } = await reviews.createSelfSubjectAccessReview({ body: { spec: { resourceAttributes } } })
  return status?.allowed
}

const image = { runtime: { k8s: { Image: 'localhost/adapter:1', CPURequest: '', CPULimit: '', MemoryRequest: '', MemoryLimit: '' } } }

describe('the bridge with the rights of infra/kubernetes', () => {
  test('launches, watches, marks, follows, seals and cancels, and is refused nothing', async ({ db, api, own, tenant, bridge }) => {
    const errors: unknown[] = []
    const restarts: string[] = []
    const onError = (error: unknown) => void errors.push(error)
    const runtime = openKubernetesRuntime({
      db,
      kubeConfig: bridge.config,
      settings: { ...settings, hubId: await getHubId(db), namespace: own },
      followedMax: 10,
      limits: { perTenant: 50, total: 100 },
      waitLimits: { missingSeconds: 600, capacitySeconds: 3600, queueSeconds: 7200 },
      onError,
      onRestart: (kind, why) => void restarts.push(`${kind}: ${why}`),
    })
    await using stack = new AsyncDisposableStack()
    const running = await startBridge({ db, runtime, holder: `test-${randomUUID()}`, onError, intervalMs: 200 })
    stack.defer(() => running.stop())

    const [done, cancelled] = [
      await submitSpecs(db, [specFor('', image)], { tenant }),
      await submitSpecs(db, [specFor('', image)], { tenant }),
    ]
    await signal(db)
    const job = await jobOf(api, tenant, done)
    const pod = await runPod(api, job)
    const event = BenchmarkStatusEvent.parse({ provider_id: 'provider', id: 'benchmark', status: 'completed', metrics: { acc: 1 } })
    await recordEvent(db, { evaluationId: done, event, attempt: 1 }, new Date().toISOString())
    await endPod(api, job, pod, 0)
    await vi.waitFor(async () => expect(await storedRuns(db, done)).toMatchObject([{ state: 'completed', is_settled: true }]), {
      timeout: 20_000,
    })
    expect((await jobOf(api, tenant, done)).metadata?.labels).toMatchObject({
      'trustyai.opendatahub.io/evaluation-phase': 'Completed',
      'eval-hub.github.io/sealed': 'true',
    })
    const { items } = await api.core.listNamespacedEvent({ namespace: tenant })
    expect(items.map(({ reason }) => reason)).toContain('EvaluationCompleted')

    const other = await jobOf(api, tenant, cancelled)
    const otherPod = await runPod(api, other)
    await cancelEvaluation(db, { tenant, user: '', everyTenant: false }, cancelled, new Date().toISOString())
    await signal(db)
    await vi.waitFor(async () => expect((await jobOf(api, tenant, cancelled)).metadata?.deletionTimestamp).toBeDefined())
    await api.core.deleteNamespacedPod({ namespace: tenant, name: otherPod.metadata!.name!, gracePeriodSeconds: 0 })
    await collect(api, other)
    await vi.waitFor(async () => expect(await storedRuns(db, cancelled)).toMatchObject([{ state: 'cancelled', is_settled: true }]), {
      timeout: 20_000,
    })
    expect([...errors, ...restarts].map(String).filter((words) => /forbidden|40[13]/i.test(words))).toEqual([])
  })

  test('may do what it does, and nothing else', async ({ own, tenant, bridge }) => {
    for (const namespace of [own, tenant]) {
      expect(await may(bridge, namespace, 'list', 'secrets')).toBe(false)
      expect(await may(bridge, namespace, 'watch', 'configmaps')).toBe(false)
      expect(await may(bridge, namespace, 'create', 'pods')).toBe(false)
      expect(await may(bridge, namespace, 'create', 'pods/exec')).toBe(false)
      expect(await may(bridge, namespace, 'update', 'secrets')).toBe(false)
      expect(await may(bridge, namespace, 'delete', 'secrets')).toBe(false)
      expect(await may(bridge, namespace, 'create', 'rolebindings', 'rbac.authorization.k8s.io')).toBe(false)
      expect(await may(bridge, namespace, 'create', 'serviceaccounts/token')).toBe(false)
      expect(await may(bridge, namespace, 'watch', 'pods')).toBe(true)
    }
    expect(await may(bridge, tenant, 'get', 'secrets')).toBe(true)
    expect(await may(bridge, tenant, 'watch', 'events')).toBe(true)
    expect(await may(bridge, '', 'list', 'events')).toBe(false)
    expect(await may(bridge, '', 'list', 'workloads', 'kueue.x-k8s.io')).toBe(false)
    // Not a tenant: no role is bound there.
    expect(await may(bridge, own, 'get', 'secrets')).toBe(false)
    expect(await may(bridge, own, 'create', 'jobs', 'batch')).toBe(false)
    await expect(bridge.core.listNamespacedSecret({ namespace: tenant })).rejects.toThrow(/forbidden/)
  })
})

describe('others with the rights of infra/kubernetes', () => {
  test('kube-rbac-proxy asks whose a token is and what that user may, and does nothing else', async ({
    own,
    tenant,
    bridge: _,
    connectAs,
  }) => {
    const proxy = await connectAs(own, 'evalhub-functions')
    expect(await may(proxy, '', 'create', 'tokenreviews', 'authentication.k8s.io')).toBe(true)
    expect(await may(proxy, '', 'create', 'subjectaccessreviews', 'authorization.k8s.io')).toBe(true)
    for (const namespace of ['', own, tenant]) {
      for (const resource of ['secrets', 'configmaps', 'pods', 'serviceaccounts/token']) {
        for (const verb of ['get', 'list', 'create']) expect(await may(proxy, namespace, verb, resource)).toBe(false)
      }
      expect(await may(proxy, namespace, 'get', 'evaluations', 'trustyai.opendatahub.io')).toBe(false)
    }
  })

  test.for([
    ['evalhub-evaluator', ['get', 'create', 'update', 'patch', 'delete']],
    ['evalhub-viewer', ['get']],
  ] as const)(
    '%s may %j evaluations where it is bound, and nothing else',
    async ([role, verbs], { api, own, tenant, bridge: _, connectAs }) => {
      await api.core.createNamespacedServiceAccount({ namespace: tenant, body: { metadata: { name: 'ada' } } })
      const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: `${own}-${role}` }
      const body = { metadata: { name: 'ada' }, roleRef, subjects: [{ kind: 'ServiceAccount', name: 'ada', namespace: tenant }] }
      await api.config.makeApiClient(RbacAuthorizationV1Api).createNamespacedRoleBinding({ namespace: tenant, body })
      const ada = await connectAs(tenant, 'ada')
      await vi.waitFor(async () => expect(await may(ada, tenant, 'get', 'evaluations', 'trustyai.opendatahub.io')).toBe(true))
      for (const verb of ['get', 'create', 'update', 'patch', 'delete', 'list', '*']) {
        const isGiven = (verbs as readonly string[]).includes(verb)
        expect([verb, await may(ada, tenant, verb, 'evaluations', 'trustyai.opendatahub.io')]).toEqual([verb, isGiven])
        expect(await may(ada, own, verb, 'evaluations', 'trustyai.opendatahub.io')).toBe(false)
      }
      for (const resource of ['secrets', 'pods', 'configmaps']) expect(await may(ada, tenant, 'get', resource)).toBe(false)
    },
  )
})
