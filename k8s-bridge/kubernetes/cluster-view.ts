import type { CoreV1Event, V1Job, V1Pod } from '@kubernetes/client-node'
import { attemptName, type AttemptKey } from '#shared/domain/attempt-key.ts'
import type { OpenStream } from './api-stream.ts'
import { HUB_LABEL } from './labels.ts'
import type { Shown } from './outcome.ts'
import { reflect, type ReflectOptions, type Reflector, type RestartReason, type Timing } from './reflector.ts'
import type { SeenEvent, SeenJob, SeenPod, SeenWorkload } from './seen-objects.ts'
import { trimEvent, trimJob, trimPod, trimWorkload, type RawWorkload } from './trim.ts'

/** What the cluster shows of one attempt. */
export type ShownAttempt = AttemptKey & {
  /** False if there is neither a Job nor a pod, only the memory of one that has gone lately. */
  isThere: boolean
  shown: Shown
}

export type ClusterView = {
  attempts(): Iterable<ShownAttempt>
  /** True once all that was there at the start has been read: before, an absence means nothing. */
  isSynced(): boolean
  close(): Promise<void>
}

type Options = {
  open: OpenStream
  hubId: string
  /** Absent: all of them, which needs rights in all of them. */
  namespaces?: readonly string[]
  onChange: () => void
  /** `kind` is a plural: `jobs`, `pods`, `events`, `workloads`. */
  onRestart: (kind: string, why: RestartReason) => void
  onError: (error: unknown) => void
  timing?: Partial<Timing>
}

/** Long enough that the pass which sees a pod’s end has its last state, though the pod is deleted at once. */
const goneMs = 120_000
/** Warnings kept of a namespace and kind: Kubernetes itself forgets them after an hour. */
const eventsMax = 2000

/**
 * A true picture of this hub’s attempts on the cluster, kept up by watches.
 *
 * Jobs and pods are asked for by the hub’s label. Warnings, and what Kueue keeps, carry no label of ours: they are asked for in namespaces only
 * that have a Job of this hub, and there those about Jobs and pods only.
 */
export function viewCluster(options: Options): ClusterView {
  const ours = { labelSelector: `${HUB_LABEL}=${options.hubId}` }
  const onJobs = () => {
    const seen = itemsOf(jobs)
    events.keepTo(new Set(seen.map(({ namespace }) => namespace)))
    workloads.keepTo(new Set(seen.filter(isQueued).map(({ namespace }) => namespace)))
    options.onChange()
  }
  const jobs = everywhere<V1Job, SeenJob>({ ...options, onChange: onJobs }, '/apis/batch/v1', 'jobs', { selectors: ours, trim: trimJob })
  const pods = everywhere<V1Pod, SeenPod>(options, '/api/v1', 'pods', { selectors: ours, trim: trimPod, goneMs })
  const events = inNamespaces((namespace) => ['Job', 'Pod'].map((kind) => warningsAbout(options, namespace, kind)))
  const workloads = inNamespaces((namespace) => [workloadsOf(options, namespace)])
  const all = () => [...jobs, ...pods, ...events.open(), ...workloads.open()]
  let wasSynced = false
  return {
    attempts: () =>
      attemptsIn({
        jobs: itemsOf(jobs),
        pods: itemsOf(pods),
        gone: pods.flatMap((one) => [...one.gone()]),
        events: itemsOf(events.open()),
        workloads: itemsOf(workloads.open()),
      }),
    // What is looked at since then is about Jobs that came since then.
    isSynced: () => (wasSynced ||= all().every((one) => one.isSynced())),
    close: async () => void (await Promise.all([...all().map((one) => one.close()), events.closed(), workloads.closed()])),
  }
}

/** Kueue suspends what it has in a queue, which may be one that the Job does not name. */
const isQueued = ({ queue, isSuspended }: SeenJob) => queue !== undefined || isSuspended

/** Of a namespace that lets nobody look, none. */
function warningsAbout(options: Options, namespace: string, kind: string): Reflector<SeenEvent> {
  const selectors = { fieldSelector: `type=Warning,involvedObject.kind=${kind}` }
  const of = { selectors, trim: trimEvent, keptMax: eventsMax, isOptional: true }
  return reflectorOf<CoreV1Event, SeenEvent>(options, `/api/v1/namespaces/${namespace}/events`, of)
}

function workloadsOf(options: Options, namespace: string): Reflector<SeenWorkload> {
  const path = `/apis/kueue.x-k8s.io/v1beta1/namespaces/${namespace}/workloads`
  return reflectorOf<RawWorkload, SeenWorkload>(options, path, { trim: trimWorkload, isOptional: true })
}

/** Reflectors of the namespaces that are wanted, begun and closed as those change. */
function inNamespaces<T>(begin: (namespace: string) => Reflector<T>[]) {
  const byNamespace = new Map<string, Reflector<T>[]>()
  const closing = new Set<Promise<unknown>>()
  return {
    keepTo(wanted: ReadonlySet<string>) {
      for (const namespace of wanted) if (!byNamespace.has(namespace)) byNamespace.set(namespace, begin(namespace))
      for (const [namespace, reflectors] of byNamespace) {
        if (wanted.has(namespace)) continue
        byNamespace.delete(namespace)
        const closed = Promise.all(reflectors.map((one) => one.close())).finally(() => closing.delete(closed))
        closing.add(closed)
      }
    },
    open: (): Reflector<T>[] => [...byNamespace.values()].flat(),
    /** Resolves once those that are no longer wanted are closed. */
    closed: () => Promise.all(closing),
  }
}

type Known<Raw> = Raw & { metadata: { uid: string; resourceVersion: string } }
type Kind<Raw, T> = Pick<ReflectOptions<Known<Raw>, T>, 'trim' | 'selectors' | 'goneMs' | 'keptMax' | 'isOptional'>

function everywhere<Raw, T extends { uid: string }>(options: Options, group: string, kind: string, of: Kind<Raw, T>): Reflector<T>[] {
  const places = options.namespaces?.map((name) => `/namespaces/${name}`) ?? ['']
  return places.map((place) => reflectorOf(options, `${group}${place}/${kind}`, of))
}

function reflectorOf<Raw, T extends { uid: string }>(options: Options, path: string, of: Kind<Raw, T>): Reflector<T> {
  const { open, onChange, onRestart, onError, timing = {} } = options
  const kind = path.slice(path.lastIndexOf('/') + 1)
  return reflect<Known<Raw>, T>({ ...of, open, path, onChange, onError, timing, onRestart: (why) => onRestart(kind, why) })
}

const itemsOf = <T>(reflectors: readonly Reflector<T>[]): T[] => reflectors.flatMap((one) => [...one.items()])

type Cluster = {
  jobs: readonly SeenJob[]
  pods: readonly SeenPod[]
  gone: readonly SeenPod[]
  events: readonly SeenEvent[]
  workloads: readonly SeenWorkload[]
}

/**
 * Sorts what there is by attempt. Labels are anybody's to write: a pod counts only if the attempt's Job owns it, where that is, and of two Jobs of
 * one attempt the older, but for those of one namespace, where a name can be used again once its Job has gone.
 */
export function attemptsIn({ jobs, pods, gone, events, workloads }: Cluster): Iterable<ShownAttempt> {
  const attempts = new Map<string, AttemptKey & { isThere: boolean; shown: Gathered }>()
  const gatheredFor = (key: AttemptKey) => {
    const name = attemptName(key)
    const known = attempts.get(name)
    if (known) return known
    const shown: Gathered = { job: undefined, pods: [], gone: [], events: [] }
    const { evaluationId, benchmarkIndex, attempt } = key
    const made = { evaluationId, benchmarkIndex, attempt, isThere: false, shown }
    attempts.set(name, made)
    return made
  }
  const workloadOf = new Map(workloads.map((workload) => [workload.jobUid, workload]))
  const eventsOf = Map.groupBy(events, ({ about }) => about.uid)
  for (const job of jobs) {
    const found = gatheredFor(job)
    if (found.shown.job && !isInPlaceOf(job, found.shown.job)) continue
    found.isThere = true
    found.shown.job = job
    found.shown.workload = workloadOf.get(job.uid)
    found.shown.events.push(...(eventsOf.get(job.uid) ?? []))
  }
  for (const pod of pods) {
    const found = gatheredFor(pod)
    if (found.shown.job && !isPodOf(pod, found.shown.job)) continue
    found.isThere = true
    found.shown.pods.push(pod)
    found.shown.events.push(...(eventsOf.get(pod.uid) ?? []))
  }
  for (const pod of gone) {
    const { shown } = gatheredFor(pod)
    if (!shown.job || isPodOf(pod, shown.job)) shown.gone.push(pod)
  }
  return attempts.values()
}

const isInPlaceOf = (job: SeenJob, other: SeenJob) =>
  job.namespace === other.namespace ? job.createdAtMs >= other.createdAtMs : job.createdAtMs < other.createdAtMs

const isPodOf = (pod: SeenPod, { namespace, uid }: SeenJob) => pod.namespace === namespace && pod.jobUid === uid

type Gathered = {
  job: SeenJob | undefined
  workload?: SeenWorkload | undefined
  pods: SeenPod[]
  gone: SeenPod[]
  events: SeenEvent[]
}
