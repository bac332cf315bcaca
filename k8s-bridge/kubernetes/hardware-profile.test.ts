import { describe, expect, test } from 'vitest'
import { readHardwareProfile } from './hardware-profile.ts'

const read = (spec: unknown, annotations?: Record<string, string>) => readHardwareProfile('small', { metadata: { annotations }, spec })

describe('readHardwareProfile', () => {
  test('takes request and limit of CPU, memory and storage, by type or by name', () => {
    const identifiers = [
      { identifier: 'cpu', defaultCount: 2, maxCount: '4' },
      { identifier: 'ram', resourceType: 'Memory', defaultCount: '8Gi' },
      { identifier: 'ephemeral-storage', defaultCount: '1Gi' },
    ]

    expect(read({ identifiers })).toMatchObject({
      cpu: { request: '2', limit: '4' },
      memory: { request: '8Gi' },
      ephemeral_storage: { request: '1Gi' },
      gpu: undefined,
    })
  })

  test('takes the last accelerator, and counts it in whole numbers', () => {
    const identifiers = [
      { identifier: 'nvidia.com/gpu', defaultCount: 1 },
      { identifier: 'amd.com/gpu', resourceType: 'Accelerator', defaultCount: '2.9' },
    ]

    expect(read({ identifiers })).toMatchObject({ gpu: { name: 'amd.com/gpu', count: 2 } })
  })

  test.each([
    [
      { type: 'Node', node: { nodeSelector: { a: 'b' }, tolerations: [{ key: 'k' }] } },
      { nodes: { selector: { a: 'b' }, tolerations: [{ key: 'k' }] } },
    ],
    [{ type: 'Node' }, { nodes: { selector: {}, tolerations: [] } }],
    [{ type: 'Queue', kueue: { localQueueName: 'q', priorityClass: 'high' } }, { queue: { name: 'q', priorityClass: 'high' } }],
    [{ type: 'Queue', kueue: { localQueueName: 'q', priorityClass: 'NONE' } }, { queue: { name: 'q' } }],
    [{ type: 'Queue', kueue: { localQueueName: '' } }, {}],
    [{ type: 'Queue' }, {}],
    [undefined, {}],
  ])('schedules by %j', (scheduling, expected) => {
    const { nodes, queue } = read({ scheduling }) as { nodes?: unknown; queue?: unknown }

    expect({ ...(nodes !== undefined && { nodes }), ...(queue !== undefined && { queue }) }).toEqual(expected)
  })

  test.each([
    [undefined, {}, /^The hardware profile 'small' is invalid: spec /],
    [{ identifiers: [{ identifier: 'cpu', defaultCount: 'many' }] }, {}, /invalid: spec.identifiers.0.defaultCount is no quantity$/],
    [{ identifiers: 'cpu' }, {}, /invalid: spec.identifiers /],
    [{}, { 'opendatahub.io/disabled': 'True' }, /^The hardware profile 'small' is disabled/],
  ])('says why %j with %j cannot be used', (spec, annotations, expected) => {
    expect(read(spec, annotations)).toEqual({ unusable: expect.stringMatching(expected) })
  })
})
