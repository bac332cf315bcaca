import { describe, expect, test } from 'vitest'
import { attemptsIn } from './cluster-view.ts'
import { describeClusterView } from './test-cluster-view-suite.ts'
import type { SeenEvent, SeenJob, SeenPod, SeenWorkload } from './seen-objects.ts'
import { startApiServer } from './test-api-server.ts'

const identity = (uid: string) => ({ namespace: 'team-a', name: uid, uid, version: '1', createdAtMs: 0 })
const key = (attempt = 1) => ({ evaluationId: 'e', benchmarkIndex: 0, attempt })
const job = (uid: string, fields: Partial<SeenJob> = {}): SeenJob => ({
  ...identity(uid),
  ...key(),
  isSuspended: false,
  benchmarkId: 'b',
  isSealed: false,
  ...fields,
})
const pod = (uid: string, fields: Partial<SeenPod> = {}): SeenPod => ({
  ...identity(uid),
  ...key(),
  phase: 'Running',
  conditions: [],
  secretNames: [],
  containers: [],
  ...fields,
})
const event = (uid: string, about: string): SeenEvent => ({
  ...identity(uid),
  about: { kind: 'Pod', name: about, uid: about },
  reason: 'r',
  message: 'm',
  firstAtMs: 0,
  lastAtMs: 0,
})
const nothing = { jobs: [], pods: [], gone: [], events: [], workloads: [] }

describe('attemptsIn', () => {
  test('gives each attempt its own Job, pods, warnings and workload', () => {
    const workload: SeenWorkload = { ...identity('w'), jobUid: 'j1', conditions: [] }
    const attempts = [
      ...attemptsIn({
        jobs: [job('j1'), job('j2', key(2))],
        pods: [
          pod('p1', { jobUid: 'j1' }),
          pod('p2', { ...key(2), jobUid: 'j2' }),
          pod('anybody’s'),
          pod('elsewhere', { jobUid: 'j1', namespace: 'team-b' }),
        ],
        gone: [pod('p0', { jobUid: 'j1' }), pod('p9', { jobUid: 'j0' })],
        events: [event('e1', 'p1'), event('e2', 'j2'), event('e3', 'a stranger')],
        workloads: [workload],
      }),
    ]
    expect(attempts).toMatchObject([
      { ...key(1), isThere: true, shown: { job: { uid: 'j1' }, pods: [{ uid: 'p1' }], gone: [{ uid: 'p0' }], workload } },
      { ...key(2), isThere: true, shown: { job: { uid: 'j2' }, pods: [{ uid: 'p2' }], gone: [], workload: undefined } },
    ])
    expect(attempts.map(({ shown }) => shown.events.map(({ uid }) => uid))).toEqual([['e1'], ['e2']])
  })

  test('counts an attempt of which only a memory is left as not there', () => {
    expect([...attemptsIn({ ...nothing, gone: [pod('p0')] })]).toMatchObject([{ ...key(), isThere: false, shown: { job: undefined } }])
  })

  test('counts an attempt as there whose Job has gone before its pod', () => {
    expect([...attemptsIn({ ...nothing, pods: [pod('p1')] })]).toMatchObject([{ isThere: true, shown: { job: undefined } }])
  })

  test.each([
    ['old', 'new'],
    ['new', 'old'],
  ])('takes the younger of two Jobs of one name, %s before %s', (...order) => {
    const jobs = order.map((uid) => job(uid, { createdAtMs: uid === 'new' ? 2 : 1 }))
    expect([...attemptsIn({ ...nothing, jobs })]).toMatchObject([{ shown: { job: { uid: 'new' } } }])
  })

  test.each([
    ['own', 'forged'],
    ['forged', 'own'],
  ])('takes the older of two Jobs in different namespaces, %s before %s: who knows a name can use it elsewhere', (...order) => {
    const jobs = order.map((uid) => job(uid, uid === 'own' ? { createdAtMs: 1 } : { createdAtMs: 2, namespace: 'team-b' }))
    expect([...attemptsIn({ ...nothing, jobs })]).toMatchObject([{ shown: { job: { uid: 'own' } } }])
  })
})

describeClusterView(startApiServer)
