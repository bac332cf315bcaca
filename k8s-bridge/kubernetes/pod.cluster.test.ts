import { KubeConfig, type V1Pod } from '@kubernetes/client-node'
import { describe, expect, vi } from 'vitest'
import { test } from '../../test/cluster.ts'
import { connectKubernetes } from './api.ts'
import type { Attempt } from './attempt.ts'
import { jobFor } from './manifest.ts'
import { settings } from './test-attempt.ts'
import { attemptIn, makeQuota } from './test-launch.ts'

describe('a run’s pod', () => {
  const podOf = (attempt: Attempt): V1Pod => {
    const { metadata, spec } = jobFor(attempt, settings, { hasMlflowCa: false }).spec!.template
    return { metadata: { ...metadata!, name: 'pod' }, spec: spec! }
  }

  test('starts in a namespace that enforces restricted Pod Security', async ({ api, makeNamespace }) => {
    const namespace = await makeNamespace({ 'pod-security.kubernetes.io/enforce': 'restricted' })
    const git = { url: 'https://git.example/a.git', ref: 'main' }
    const plain: V1Pod = { metadata: { name: 'plain' }, spec: { containers: [{ name: 'a', image: 'a' }] } }

    const create = (body: V1Pod) => api.core.createNamespacedPod({ namespace, body, dryRun: 'All' })

    await expect(create(plain)).rejects.toThrow(/violates PodSecurity/)
    for (const data of [{ git }, { pvc: { claim_name: 'claim' } }, undefined]) {
      const pod = await create(podOf(attemptIn(namespace, { spec: data ? { test_data_ref: data } : {} })))
      expect(pod.spec?.initContainers?.map(({ name }) => name)).toEqual(data && 'git' in data ? ['init', 'sidecar'] : ['sidecar'])
    }
  })

  // Guarantee: a namespace may bound what its pods put on the disks of nodes. A pod that says nothing is taken there to ask for the most.
  test('starts in a namespace that bounds ephemeral storage, and counts in its quota', async ({ api, makeNamespace }) => {
    const namespace = await makeNamespace()
    const storage = (quantity: string) => ({ 'ephemeral-storage': quantity })
    const limits = [{ type: 'Container', min: storage('1Mi'), max: storage('100Gi') }]
    await api.core.createNamespacedLimitRange({ namespace, body: { metadata: { name: 'range' }, spec: { limits } } })
    await makeQuota(api, namespace, { 'requests.ephemeral-storage': '3Gi' })
    const create = ({ spec }: V1Pod) =>
      api.core.createNamespacedPod({ namespace, body: { metadata: { generateName: 'pod-' }, spec: spec! } })
    const silent: V1Pod = { spec: { containers: [{ name: 'a', image: 'a' }] } }
    await vi.waitFor(() => expect(create(silent)).rejects.toThrow(/requested: requests.ephemeral-storage=100Gi/), { timeout: 10_000 })

    for (const data of [{ git: { url: 'https://git.example/a.git', ref: 'main' } }, undefined]) {
      await create(podOf(attemptIn(namespace, { spec: data ? { test_data_ref: data } : {} })))
    }
    await expect(create(podOf(attemptIn(namespace)))).rejects.toThrow(/exceeded quota: small, requested: requests.ephemeral-storage=1088Mi/)
  })

  test('is as it was written: Kubernetes drops and changes no field', async ({ api, makeNamespace }) => {
    const namespace = await makeNamespace()
    const body = podOf(attemptIn(namespace, { spec: { test_data_ref: { git: { url: 'https://git.example/a.git', ref: 'main' } } } }))

    const pod = await api.core.createNamespacedPod({ namespace, body, dryRun: 'All', fieldValidation: 'Strict' })

    expect(pod.spec).toMatchObject(body.spec!)
    expect(pod.spec?.volumes?.filter(({ name }) => name.startsWith('kube-api-access'))).toEqual([])
  })
})

// Guarantee: whoever gets hold of the token that MLflow is shown can do nothing with it at the API server, if the operator named MLflow's audience.
test('the MLflow token is good for its audience, and refused by Kubernetes', async ({ api, makeNamespace }) => {
  const namespace = await makeNamespace()
  const tokenFor = async (tokenAudience: string | undefined) => {
    const withMlflow = { ...settings, mlflow: { trackingUri: 'https://mlflow.example', tokenAudience } }
    const { volumes = [] } = jobFor(attemptIn(namespace), withMlflow, { hasMlflowCa: false }).spec!.template.spec!
    const projected = volumes.flatMap((volume) => volume.projected?.sources ?? []).find((source) => source.serviceAccountToken)
    const { audience, expirationSeconds } = projected!.serviceAccountToken!
    // What the kubelet asks for.
    const spec = { audiences: audience === undefined ? [] : [audience], expirationSeconds: expirationSeconds! }
    const { status } = await api.core.createNamespacedServiceAccountToken({ namespace, name: 'default', body: { spec } })
    return status?.token ?? ''
  }
  const ask = async (token: string) => {
    const config = new KubeConfig()
    config.loadFromClusterAndUser({ ...api.config.getCurrentCluster()!, name: 'test' }, { name: 'default', token })
    const { core } = connectKubernetes(config)
    return core.listNamespacedPod({ namespace }).catch((error: { code?: number }) => error.code)
  }
  expect(await ask(await tokenFor(undefined))).toBe(403) // It is somebody, who may do nothing.
  expect(await ask(await tokenFor('mlflow.example'))).toBe(401)
})
