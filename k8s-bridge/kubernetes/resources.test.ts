import { describe, expect, test } from 'vitest'
import type { HardwareProfile } from './hardware-profile.ts'
import { placementOf } from './resources.ts'
import { attemptFor, settings, type Changes } from './test-attempt.ts'

const gpuProvider = {
  runtime: {
    k8s: {
      Image: 'a',
      CPURequest: '',
      CPULimit: '2',
      MemoryRequest: '',
      MemoryLimit: '',
      gpu: { resource: 'nvidia.com/gpu', count: 1, node_selector: { zone: 'a' } },
    },
  },
}

const DEFAULT_LIMITS = { cpu: '1', memory: '2Gi', 'ephemeral-storage': '20Gi' }

const place = (changes: Changes, profile?: HardwareProfile) => placementOf(attemptFor(changes), settings, profile)

describe('placementOf', () => {
  test.each<[string, Changes, HardwareProfile | undefined, object]>([
    [
      'the hub’s sizes where nobody says anything',
      {},
      undefined,
      {
        requests: { cpu: '250m', memory: '512Mi', 'ephemeral-storage': '1Gi' },
        limits: { cpu: '1', memory: '2Gi', 'ephemeral-storage': '20Gi' },
      },
    ],
    [
      'the provider’s values, each by itself',
      { spec: gpuProvider },
      undefined,
      { requests: { cpu: '250m', 'nvidia.com/gpu': '1' }, limits: { cpu: '2', memory: '2Gi', 'nvidia.com/gpu': '1' } },
    ],
    [
      'the job’s values before the provider’s',
      { spec: { ...gpuProvider, hardware_config: { cpu: { limit: '8' }, gpu: { count: 3 } } } },
      undefined,
      { requests: { cpu: '250m', 'nvidia.com/gpu': '3' }, limits: { cpu: '8' } },
    ],
    [
      'the provider’s number of accelerators for a count of 0',
      { spec: { ...gpuProvider, hardware_config: { gpu: { name: 'amd.com/gpu', count: 0 } } } },
      undefined,
      { limits: { 'amd.com/gpu': '1' } },
    ],
    ['the profile’s values', { spec: gpuProvider }, { memory: { request: '3Gi', limit: '4Gi' } }, { requests: { memory: '3Gi' } }],
    [
      'more memory after an attempt that had too little, within the bound',
      { oomFailures: 12 },
      undefined,
      { requests: { memory: '32Gi' }, limits: { memory: '32Gi' } },
    ],
  ])('gives %s', (_what, changes, profile, expected) => {
    expect(place(changes, profile).resources).toMatchObject(expected)
  })

  const storageOf = (changes: Changes, profile?: HardwareProfile) => {
    const { resources, dataSize } = place(changes, profile)
    return [resources.requests?.['ephemeral-storage'], resources.limits?.['ephemeral-storage'], dataSize]
  }
  const provides = (EphemeralStorageRequest: string, EphemeralStorageLimit: string) => ({
    runtime: { k8s: { ...gpuProvider.runtime.k8s, EphemeralStorageRequest, EphemeralStorageLimit } },
  })
  const git = { git: { url: 'https://git.example/a.git', ref: 'main' } }

  test.each<[string, Changes, HardwareProfile | undefined, [string, string, string]]>([
    ['the hub’s where nobody says anything', {}, undefined, ['1Gi', '20Gi', '20Gi']],
    ['the provider’s', { spec: provides('30Gi', '60Gi') }, undefined, ['30Gi', '60Gi', '60Gi']],
    [
      'the job’s before the provider’s, each by itself',
      { spec: { ...provides('30Gi', '60Gi'), hardware_config: { ephemeral_storage: { limit: '90Gi' } } } },
      undefined,
      ['30Gi', '90Gi', '90Gi'],
    ],
    ['the profile’s', { spec: provides('', '60Gi') }, { ephemeral_storage: { request: '2Gi', limit: '3Gi' } }, ['2Gi', '3Gi', '3Gi']],
    ['no more asked for than a small limit', { spec: provides('', '100Mi') }, undefined, ['100Mi', '100Mi', '100Mi']],
    ['a limit that is no less than what is asked for', { spec: provides('50Gi', '') }, undefined, ['50Gi', '50Gi', '50Gi']],
    // 50 GiB of 100,000 files, each of which may leave most of a block unused.
    ['room for the test data on top, and none of it to /data', { spec: { test_data_ref: git } }, undefined, ['1Gi', '73095Mi', '20Gi']],
    ['no room for data of a claim', { spec: { test_data_ref: { pvc: { claim_name: 'c' } } } }, undefined, ['1Gi', '20Gi', '20Gi']],
  ])('gives storage: %s', (_what, changes, profile, expected) => {
    expect(storageOf(changes, profile)).toEqual(expected)
  })

  test('asks for no accelerator whose name or number is not known', () => {
    expect(place({ spec: { hardware_config: { gpu: { name: 'amd.com/gpu' } } } }).resources.limits).toEqual(DEFAULT_LIMITS)
    expect(place({ spec: { hardware_config: { gpu: { count: 2 } } } }).resources.limits).toEqual(DEFAULT_LIMITS)
  })

  test.each<[string, Changes, HardwareProfile | undefined, object]>([
    ['the provider’s nodes', { spec: gpuProvider }, undefined, { nodeSelector: { zone: 'a' } }],
    [
      'the profile’s nodes in place of the provider’s',
      { spec: gpuProvider },
      { nodes: { selector: { pool: 'x' }, tolerations: [{ key: 'k' }] } },
      { nodeSelector: { pool: 'x' }, tolerations: [{ key: 'k' }] },
    ],
    ['any node, if the profile says so', { spec: gpuProvider }, { nodes: { selector: {}, tolerations: [] } }, {}],
    ['a queue, which chooses the nodes', { spec: gpuProvider }, { queue: { name: 'q' } }, { queue: { name: 'q' } }],
    [
      'the job’s deprecated queue, even against the nodes of a profile',
      { request: { queue: { kind: 'kueue', name: 'old' } } },
      { nodes: { selector: { pool: 'x' }, tolerations: [] } },
      { queue: { name: 'old' } },
    ],
    [
      'the profile’s queue before the deprecated one',
      { request: { queue: { kind: 'kueue', name: 'old' } } },
      { queue: { name: 'q' } },
      { queue: { name: 'q' } },
    ],
  ])('sends the pod to %s', (_where, changes, profile, expected) => {
    const { resources: _resources, dataSize: _dataSize, ...where } = place(changes, profile)

    expect(where).toMatchObject(expected)
    expect(Object.keys(where).sort()).toEqual(Object.keys(expected).sort())
  })
})
