import type { CoreV1Event, V1Pod } from '@kubernetes/client-node'
import { describe, expect, test } from 'vitest'
import { trimEvent, trimJob, trimPod, trimWorkload } from './trim.ts'

const metadata = {
  namespace: 'team-a',
  name: 'evalhub-e-0-1',
  uid: 'u',
  resourceVersion: '7',
  labels: { job_id: 'e', benchmark_index: '0', 'eval-hub.github.io/attempt': '1' },
}
const time = (text: string) => text as unknown as Date

describe('trimPod', () => {
  const dying = (graceSeconds: number, at: string): V1Pod => ({
    metadata: { ...metadata, deletionTimestamp: time(at), deletionGracePeriodSeconds: graceSeconds },
  })

  test('tells when the deletion was asked for, not when the grace ends', () => {
    expect(trimPod(dying(600, '2026-11-25T12:10:00Z'))?.deletedAtMs).toBe(Date.parse('2026-11-25T12:00:00Z'))
  })

  test('keeps the beginning of a deletion when the kubelet sets its end anew', () => {
    const before = trimPod(dying(600, '2026-11-25T12:10:00Z'))
    expect(trimPod(dying(0, '2026-11-25T12:03:00Z'), before)?.deletedAtMs).toBe(Date.parse('2026-11-25T12:00:00Z'))
  })

  test('takes an end of which it did not see the beginning for somewhat later than the beginning', () => {
    expect(trimPod(dying(0, '2026-11-25T12:03:00Z'))?.deletedAtMs).toBe(Date.parse('2026-11-25T12:02:30Z'))
  })

  test('is the same for the dates of a typed client', () => {
    const status = { phase: 'Running', startTime: time('2026-11-25T12:00:00Z') }
    const typed = { phase: 'Running', startTime: new Date('2026-11-25T12:00:00Z') }
    expect(trimPod({ metadata, status })).toEqual(trimPod({ metadata, status: typed }))
  })

  test('keeps neither environment nor volumes nor annotations', () => {
    const spec = { containers: [{ name: 'adapter', image: 'i', env: [{ name: 'KEY', value: 'sekret' }] }], volumes: [{ name: 'sekret' }] }
    expect(JSON.stringify(trimPod({ metadata: { ...metadata, annotations: { a: 'sekret' } }, spec }))).not.toContain('sekret')
  })
})

test.each([
  ['no attempt', { ...metadata, labels: { ...metadata.labels, 'eval-hub.github.io/attempt': '' } }],
  ['an attempt that is no number', { ...metadata, labels: { ...metadata.labels, 'eval-hub.github.io/attempt': 'x' } }],
  ['no evaluation', { ...metadata, labels: { benchmark_index: '0' } }],
  ['no labels', { ...metadata, labels: undefined as unknown as Record<string, string> }],
])('an object with %s is none of ours', (_, strange) => {
  expect(trimPod({ metadata: strange })).toBeUndefined()
  expect(trimJob({ metadata: strange })).toBeUndefined()
})

describe('trimEvent', () => {
  const about = (name: string): CoreV1Event => ({
    metadata: { namespace: 'team-a', name: 'x', uid: 'v' },
    involvedObject: { kind: 'Pod', name, uid: 'u' },
    message: 'm'.repeat(5000),
    reason: 'Failed',
    firstTimestamp: time('2026-11-25T12:00:00Z'),
    lastTimestamp: time('2026-11-25T12:05:00Z'),
  })

  test('keeps warnings about objects that have names like ours, their length bounded', () => {
    expect(trimEvent(about('evalhub-e-0-1-abcde'))).toMatchObject({
      reason: 'Failed',
      about: { kind: 'Pod', name: 'evalhub-e-0-1-abcde', uid: 'u' },
      message: 'm'.repeat(1000),
      firstAtMs: Date.parse('2026-11-25T12:00:00Z'),
      lastAtMs: Date.parse('2026-11-25T12:05:00Z'),
    })
    expect(trimEvent(about('postgres-0'))).toBeUndefined()
  })

  test('finds the times of events of the newer kind', () => {
    const { firstTimestamp: _1, lastTimestamp: _2, ...rest } = about('evalhub-e-0-1-abcde')
    const series = { count: 2, lastObservedTime: time('2026-11-25T12:05:00.000000Z') as never }
    const newer = { ...rest, firstTimestamp: null as never, eventTime: time('2026-11-25T12:00:00.000000Z') as never, series }
    expect(trimEvent(newer)).toMatchObject({
      firstAtMs: Date.parse('2026-11-25T12:00:00Z'),
      lastAtMs: Date.parse('2026-11-25T12:05:00Z'),
    })
  })
})

test('a workload of a Job that is not ours is not kept', () => {
  const owned = (name: string) => ({
    metadata: { ...metadata, ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid: 'j' }] },
  })
  expect(trimWorkload(owned('evalhub-e-0-1'))).toMatchObject({ jobUid: 'j', conditions: [] })
  expect(trimWorkload(owned('training'))).toBeUndefined()
})
