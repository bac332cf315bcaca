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

const place = (changes: Changes, profile?: HardwareProfile) => placementOf(attemptFor(changes), settings, profile)

describe('placementOf', () => {
  test.each<[string, Changes, HardwareProfile | undefined, object]>([
    [
      'the hub’s sizes where nobody says anything',
      {},
      undefined,
      { requests: { cpu: '250m', memory: '512Mi' }, limits: { cpu: '1', memory: '2Gi' } },
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

  test('asks for no accelerator whose name or number is not known', () => {
    expect(place({ spec: { hardware_config: { gpu: { name: 'amd.com/gpu' } } } }).resources.limits).toEqual({ cpu: '1', memory: '2Gi' })
    expect(place({ spec: { hardware_config: { gpu: { count: 2 } } } }).resources.limits).toEqual({ cpu: '1', memory: '2Gi' })
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
    const { resources: _resources, ...where } = place(changes, profile)

    expect(where).toMatchObject(expected)
    expect(Object.keys(where).sort()).toEqual(Object.keys(expected).sort())
  })
})
