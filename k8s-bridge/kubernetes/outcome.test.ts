import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CoreV1Event, V1Job, V1Pod } from '@kubernetes/client-node'
import { describe, expect, test } from 'vitest'
import { faultOf, type FailureClass } from '#shared/domain/failure-class.ts'
import { seenOf, type SeenAttempt, type Shown, type WaitLimits } from './outcome.ts'
import { trimEvent, trimJob, trimPod, trimWorkload, type RawWorkload } from './trim.ts'

const folder = join(import.meta.dirname, 'fixtures')
const limits: WaitLimits = { missingSeconds: 600, capacitySeconds: 86_400, queueSeconds: 604_800 }

type Fixture = { job: V1Job | null; pods: V1Pod[]; gone: V1Pod[]; events: CoreV1Event[]; workload?: RawWorkload }

function shown(name: string): Shown {
  const { job, pods, gone, events, workload } = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Fixture
  return {
    job: job ? trimJob(job) : undefined,
    pods: pods.map((pod) => trimPod(pod)!),
    gone: gone.map((pod) => trimPod(pod)!),
    events: events.map((event) => trimEvent(event)!),
    workload: workload && trimWorkload(workload),
  }
}

const seen = (name: string) => seenOf(shown(name), 'arc_easy', limits)

type Row = [name: string, failureClass: FailureClass, message: RegExp]

/** All but those whose name says Kueue are real objects of a Kubernetes 1.34 cluster, shortened: see the README beside them. */
describe('seenOf, of an attempt that waits', () => {
  test.each<[...Row, limitSeconds: number]>([
    [
      'image-pull',
      'image_pull',
      /^Image localhost\/absent:1 of the adapter cannot be pulled \(ImagePullBackOff\): .*refused\. Correct the provider’s image/,
      600,
    ],
    ['image-pull-error', 'image_pull', /localhost\/absent:2.*\(ErrImagePull\)/, 600],
    ['image-never-pull', 'image_pull', /\(ErrImageNeverPull\): Container image "localhost\/absent:1" is not present/, 600],
    ['image-name-invalid', 'image_pull', /\(InvalidImageName\): .*must be lowercase\. Correct/, 600],
    [
      'runs-as-root',
      'rejected',
      /^Image localhost\/busybox:1 of the adapter is not allowed to run: .*will run as root.*numeric USER other than 0/,
      600,
    ],
    ['env-secret-missing', 'missing_secret', /secret "hf-creds" not found\. Create it in the namespace/, 600],
    ['env-configmap-missing', 'missing_config', /configmap "hub-ca" not found/, 600],
    ['volume-secret-missing', 'missing_secret', /: secret "model-creds" not found\. Create it/, 600],
    ['volume-secret-key-missing', 'missing_secret', /references non-existent secret key: other/, 600],
    ['volume-configmap-missing', 'missing_config', /: configmap "hub-service-ca" not found/, 600],
    ['volume-projected-missing', 'missing_secret', /: secret "model-creds" not found/, 600],
    ['volume-host-missing', 'missing_volume', /\/no\/such\/dir is not a directory\. Check the claim/, 600],
    ['volume-claim-missing', 'missing_volume', /persistentvolumeclaim "test-data" not found\. Create or bind it/, 600],
    ['volume-claim-unbound', 'missing_volume', /unbound immediate PersistentVolumeClaims\. Create or bind it/, 600],
    [
      'unschedulable-cpu',
      'unschedulable',
      /^No node can take the pod: 0\/2 nodes are available: 1 Insufficient cpu, [^.]*\. It starts when one can/,
      86_400,
    ],
    ['unschedulable-selector', 'unschedulable', /didn't match Pod's node affinity/, 86_400],
    ['gated', 'quota', /admitted to the cluster: Scheduling is blocked/, 604_800],
    ['quota', 'quota', /quota is used up: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0\. The run starts/, 86_400],
    ['pod-security', 'rejected', /refuses the pod: violates PodSecurity "restricted:latest"/, 600],
    ['limit-range', 'rejected', /maximum memory usage per Container is 32Mi, but limit is 64Mi\. Change/, 600],
    ['policy-denied', 'rejected', /images of localhost are not allowed here\. Change/, 600],
    ['webhook-down', 'rejected', /webhook of the cluster does not answer.*pods\.dead\.example\.com/, 86_400],
    ['service-account-missing', 'missing_config', /serviceaccount "hub-eval-job" not found\. Whoever administers/, 600],
    ['priority-class-missing', 'missing_config', /no PriorityClass with name no-such-class/, 600],
    ['sidecar-not-ready', 'sidecar_failed', /sidecar does not get ready: it was restarted \(1 so far\)/, 600],
    [
      'sidecar-crash-loop',
      'sidecar_failed',
      /sidecar does not get ready: it was restarted \(\d so far\), the last time with exit code 9/,
      600,
    ],
    ['suspended', 'quota', /^The run waits for its turn in batch queue team-a-queue\.$/, 604_800],
    ['kueue-waiting', 'quota', /in batch queue team-a-queue: couldn't assign flavors.*4 more needed\.$/, 604_800],
    ['kueue-queue-unknown', 'queue_unknown', /LocalQueue team-a-queue doesn't exist\. Name an existing queue/, 600],
  ])('%s: %s', (name, kind, message, limitSeconds) => {
    expect(seen(name)).toMatchObject({ phase: 'waiting', why: { kind, message: expect.stringMatching(message), limitSeconds } })
  })

  test.each([
    ['starting', /^The pod is on node node and starts the sidecar from image localhost\/busybox:1/],
    ['init-running', /^The init container fetches the test data on node node\.$/],
  ])('%s: nothing is amiss, and its deadline is its only limit', (name, message) => {
    const attempt = seen(name)
    expect(attempt).toMatchObject({ phase: 'waiting', node: 'node', why: { kind: 'starting', message: expect.stringMatching(message) } })
    expect(attempt).not.toHaveProperty('why.limitSeconds')
  })

  test('has waited since the trouble began, not since its Job was made', () => {
    const { events, job } = shown('quota')
    expect(seen('quota')).toMatchObject({ why: { sinceMs: events[0]?.firstAtMs } })
    expect(seen('suspended')).toMatchObject({ why: { sinceMs: job && shown('suspended').job?.createdAtMs } })
  })

  test('waits for its pod if it has none, and says who is not at work if that lasts', () => {
    const { job } = shown('running')
    const attempt = seenOf({ job, pods: [], gone: [], events: [] }, 'arc_easy', limits)
    expect(attempt).toMatchObject({ phase: 'waiting', why: { kind: 'starting', message: expect.stringMatching(/controller manager/) } })
  })

  test('waits for what EvalHub has not written yet', () => {
    const { pods, ...rest } = shown('volume-secret-missing')
    const own = `secret "${pods[0]!.name.replace(/-[^-]+$/, '')}-run" not found`
    const events = rest.events.map((event) => ({ ...event, message: `MountVolume.SetUp failed for volume "run" : ${own}` }))
    expect(seenOf({ ...rest, pods, events }, 'arc_easy', limits)).toMatchObject({
      why: { kind: 'missing_config', message: expect.stringMatching(/^The pod waits for what EvalHub is writing for it: secret/) },
    })
  })

  test('is not held up any more by a mount that has succeeded since', () => {
    const { events } = shown('volume-secret-missing')
    const { pods, ...rest } = shown('image-pull')
    const old = events.map((event) => ({ ...event, about: { ...event.about, name: pods[0]!.name } }))
    expect(seenOf({ ...rest, pods, events: old }, 'arc_easy', limits)).toMatchObject({ why: { kind: 'image_pull' } })
  })
})

describe('seenOf, of an attempt under way', () => {
  test('runs from its adapter’s start', () => {
    const attempt = seen('running')
    expect(attempt).toMatchObject({ phase: 'running', node: 'node', startedAtMs: expect.any(Number), onNodeSinceMs: expect.any(Number) })
    expect(attempt).not.toHaveProperty('adapterEndedAtMs')
  })

  test.each(['delivering', 'evicted-terminating', 'node-silent'])('%s: runs until its pod is over', (name) => {
    expect(seen(name)).toMatchObject({ phase: 'running' })
  })

  test('tells that only the sidecar is left', () => {
    expect(seen('delivering')).toMatchObject({ adapterEndedAtMs: expect.any(Number) })
  })
})

describe('seenOf, of an attempt that has ended', () => {
  test.each<[...Row, { isDisrupted: boolean; exitCode?: number; speaker?: string }]>([
    [
      'exit-0',
      'adapter_exit',
      /^The adapter of benchmark arc_easy ended without reporting results\.$/,
      { isDisrupted: false, exitCode: 0, speaker: 'adapter' },
    ],
    [
      'exit-3',
      'adapter_exit',
      /^The adapter of benchmark arc_easy ended with exit code 3 before it reported results\.$/,
      { isDisrupted: false, exitCode: 3, speaker: 'adapter' },
    ],
    [
      'start-error',
      'adapter_exit',
      /could not be started from image localhost\/busybox:1: .*\/no\/such\/program.* Check the provider’s entrypoint/,
      { isDisrupted: false, exitCode: 128 },
    ],
    [
      'oom',
      'oom',
      /needed more memory than its limit of 64Mi.*hardware_config\.memory\.limit/,
      { isDisrupted: false, exitCode: 137, speaker: 'adapter' },
    ],
    [
      'init-exit',
      'init_failed',
      /init container ended with exit code 5\. Check test_data_ref/,
      { isDisrupted: false, exitCode: 5, speaker: 'init' },
    ],
    ['init-oom', 'init_failed', /init container ran out of memory/, { isDisrupted: false, exitCode: 137, speaker: 'init' }],
    [
      'deadline',
      'deadline',
      /longer than its limit of 4 s \(its pod was on a node since 2026-11-25T18:39:45.000Z\).*timeout_seconds/,
      { isDisrupted: true },
    ],
    [
      'sidecar-died',
      'sidecar_failed',
      /sidecar ended while the adapter needed it, with exit code 9/,
      { isDisrupted: false, speaker: 'sidecar' },
    ],
    [
      'sidecar-died-at-end',
      'sidecar_failed',
      /before it had delivered the results, with exit code 7/,
      { isDisrupted: false, speaker: 'sidecar' },
    ],
    ['adapter-and-sidecar-ended', 'adapter_exit', /exit code 4/, { isDisrupted: false, exitCode: 4 }],
    ['evicted', 'evicted', /took the pod off its node: Eviction API: evicting\./, { isDisrupted: true }],
    ['tainted', 'evicted', /took the pod off its node: Taint manager/, { isDisrupted: true }],
    [
      'emptydir-limit',
      'out_of_storage',
      /Usage of EmptyDir volume "v" exceeds the limit "8Mi"\. Set hardware_config\.ephemeral_storage\.limit .*k8s\.ephemeral_storage_limit/,
      { isDisrupted: true },
    ],
    ['preempted', 'preempted', /more important work: default-scheduler: preempting/, { isDisrupted: true }],
    ['kueue-preempted', 'preempted', /Preempted to accommodate a workload/, { isDisrupted: true }],
    ['suspended-while-running', 'preempted', /batch queue team-a-queue suspended its Job/, { isDisrupted: true }],
    ['node-lost', 'node_lost', /^Node node, on which the benchmark ran, was lost/, { isDisrupted: true }],
    ['node-lost-and-back', 'evicted', /took the pod off its node: Taint manager/, { isDisrupted: true }],
    ['pod-deleted', 'vanished', /deleted by somebody other than EvalHub/, { isDisrupted: true }],
    ['pod-deleted-by-force', 'vanished', /deleted by somebody/, { isDisrupted: true }],
    ['job-deleted', 'vanished', /deleted by somebody/, { isDisrupted: true }],
    ['deleted-after-its-end', 'adapter_exit', /exit code 3/, { isDisrupted: false, exitCode: 3 }],
  ])('%s: %s', (name, failureClass, message, { isDisrupted, exitCode, speaker }) => {
    const attempt = seen(name)
    expect(attempt).toMatchObject({ phase: 'ended', isDisrupted, end: { failureClass, message: expect.stringMatching(message) } })
    expect(attempt).toHaveProperty('end.failureClass', failureClass)
    if (attempt.phase === 'ended') expect([attempt.end.exitCode, attempt.end.speaker]).toEqual([exitCode, speaker ?? attempt.end.speaker])
  })

  test.each(endedNames())('%s: it ended when it did, however late one looks', (name) => {
    const attempt = seen(name)
    const day = Date.parse('2026-11-25T00:00:00Z')
    if (attempt.phase === 'ended') expect(attempt.atMs - day).toBeGreaterThan(18 * 3_600_000)
    expect(seen(name)).toEqual(attempt)
  })

  test('of nothing at all is vanished', () => {
    const attempt = seenOf({ job: undefined, pods: [], gone: [], events: [] }, 'arc_easy', limits)
    expect(attempt).toMatchObject({ phase: 'ended', atMs: 0, isDisrupted: true, end: { failureClass: 'vanished' } })
  })

  test('by a deletion at its deadline has passed its deadline, whoever deleted it', () => {
    const { gone, ...rest } = shown('pod-deleted')
    const endAfter = (seconds: number) => {
      const deleted = { onNodeSinceMs: 1_000_000, deletedAtMs: 1_000_000 + seconds * 1000, deadlineSeconds: 60 }
      return seenOf({ ...rest, gone: gone.map((pod) => ({ ...pod, ...deleted })) }, 'arc_easy', limits)
    }

    expect(endAfter(59)).toMatchObject({
      isDisrupted: true,
      end: { failureClass: 'deadline', message: expect.stringMatching(/limit of 60 s/) },
    })
    expect(endAfter(55)).toMatchObject({ end: { failureClass: 'vanished' } })
  })

  // The first three are the kubelet's own words about a limit of the pod's; after them it would run out again, so it gets no other attempt.
  test.each([
    ['Usage of EmptyDir volume "data" exceeds the limit "20Gi". ', 'out_of_storage', /Set hardware_config\.ephemeral_storage\.limit/],
    ['Container adapter exceeded its local ephemeral storage limit "20Gi". ', 'out_of_storage', /runtime\.k8s\.ephemeral_storage_limit/],
    ['Pod ephemeral local storage usage exceeds the total limit of containers 20736Mi. ', 'out_of_storage', /ADAPTER_STORAGE/],
    ['Usage of EmptyDir volume "test-data" exceeds the limit "1Gi". ', 'out_of_storage', /TEST_DATA_MAX_BYTES/],
    ['Usage of EmptyDir volume "termination-file-volume" exceeds the limit "64Mi". ', 'out_of_storage', /\/shared .* \/data/],
    [
      'The node was low on resource: ephemeral-storage. Container adapter was using 9Gi, request is 1Gi, has larger consumption of it. ',
      'evicted',
      /Ask for the storage that the benchmark needs in hardware_config\.ephemeral_storage\.request/,
    ],
  ])('for want of storage says what gives it more: %s', (message, failureClass, hint) => {
    const { pods, ...rest } = shown('emptydir-limit')
    const attempt = seenOf({ ...rest, pods: pods.map((pod) => ({ ...pod, message })) }, 'arc_easy', limits)
    expect(attempt).toMatchObject({ phase: 'ended', isDisrupted: true, end: { failureClass, message: expect.stringMatching(hint) } })
    expect(attempt).toHaveProperty('end.message', expect.stringContaining(message.trim().replace(/\.$/, '')))
  })

  test('of which only the Job is left is told by the Job', () => {
    const only = (name: string) => seenOf({ ...shown(name), pods: [], gone: [] }, 'arc_easy', limits)
    expect(only('pod-deleted')).toMatchObject({ phase: 'ended', isDisrupted: true, end: { failureClass: 'vanished' } })
    expect(only('job-deleted')).toMatchObject({ phase: 'ended', isDisrupted: true, end: { failureClass: 'vanished' } })
    expect(only('running')).toMatchObject({ phase: 'waiting' })
  })
})

function endedNames(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.replace('.json', ''))
}

describe('every sentence', () => {
  const words = (attempt: SeenAttempt) => (attempt.phase === 'waiting' ? attempt.why : attempt.phase === 'ended' ? attempt.end : undefined)
  const told = endedNames().flatMap((name) => {
    const said = words(seen(name))
    return said ? [[name, said.message] as const] : []
  })

  test.each(told)('%s: is one that a user can read', (_, message) => {
    expect(message).toMatch(/^[A-Z].*[.]$/s)
    expect(message).not.toMatch(/undefined|\.\.|: \.|null|NaN|\[object/)
    expect(message.length).toBeLessThan(1500)
  })

  test('of a failure that is the user’s says what to do', () => {
    const told = endedNames()
      .map(seen)
      .flatMap((attempt) => (attempt.phase === 'ended' && faultOf(attempt.end.failureClass) === 'user' ? [attempt.end] : []))
    for (const { message, speaker } of told) expect(speaker ?? message).toMatch(/adapter|init|Check|Set|Correct/)
  })
})
