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
/** Warnings kept: Kubernetes itself forgets them after an hour. */
const eventsMax = 20_000

/** A true picture of this hub’s attempts on the cluster, kept up by one watch a kind and namespace. */
export function viewCluster(options: Options): ClusterView {
  const ours = { labelSelector: `${HUB_LABEL}=${options.hubId}` }
  const jobs = everywhere<V1Job, SeenJob>(options, '/apis/batch/v1', 'jobs', { selectors: ours, trim: trimJob })
  const pods = everywhere<V1Pod, SeenPod>(options, '/api/v1', 'pods', { selectors: ours, trim: trimPod, goneMs })
  const warnings = { selectors: { fieldSelector: 'type=Warning' }, trim: trimEvent, keptMax: eventsMax }
  const events = everywhere<CoreV1Event, SeenEvent>(options, '/api/v1', 'events', warnings)
  const kueue = { trim: trimWorkload, isOptional: true }
  const workloads = everywhere<RawWorkload, SeenWorkload>(options, '/apis/kueue.x-k8s.io/v1beta1', 'workloads', kueue)
  const all = [jobs, pods, events, workloads].flat()
  return {
    attempts: () =>
      attemptsIn({
        jobs: itemsOf(jobs),
        pods: itemsOf(pods),
        gone: pods.flatMap((one) => [...one.gone()]),
        events: itemsOf(events),
        workloads: itemsOf(workloads),
      }),
    isSynced: () => all.every((one) => one.isSynced()),
    close: async () => void (await Promise.all(all.map((one) => one.close()))),
  }
}

type Known<Raw> = Raw & { metadata: { uid: string; resourceVersion: string } }
type Kind<Raw, T> = Pick<ReflectOptions<Known<Raw>, T>, 'trim' | 'selectors' | 'goneMs' | 'keptMax' | 'isOptional'>

function everywhere<Raw, T extends { uid: string }>(options: Options, group: string, kind: string, of: Kind<Raw, T>): Reflector<T>[] {
  const { open, namespaces, onChange, onRestart, onError, timing = {} } = options
  const places = namespaces ? namespaces.map((name) => `/namespaces/${name}`) : ['']
  return places.map((place) =>
    reflect<Known<Raw>, T>({
      ...of,
      open,
      path: `${group}${place}/${kind}`,
      onChange,
      onError,
      timing,
      onRestart: (why) => onRestart(kind, why),
    }),
  )
}

const itemsOf = <T>(reflectors: readonly Reflector<T>[]): T[] => reflectors.flatMap((one) => [...one.items()])

type Cluster = {
  jobs: readonly SeenJob[]
  pods: readonly SeenPod[]
  gone: readonly SeenPod[]
  events: readonly SeenEvent[]
  workloads: readonly SeenWorkload[]
}

/** Sorts what there is by attempt. Of two Jobs of one attempt the younger counts: a name can be used again once its Job has gone. */
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
    if (found.shown.job && found.shown.job.createdAtMs > job.createdAtMs) continue
    found.isThere = true
    found.shown.job = job
    found.shown.workload = workloadOf.get(job.uid)
    found.shown.events.push(...(eventsOf.get(job.uid) ?? []))
  }
  for (const pod of pods) {
    const found = gatheredFor(pod)
    found.isThere = true
    found.shown.pods.push(pod)
    found.shown.events.push(...(eventsOf.get(pod.uid) ?? []))
  }
  for (const pod of gone) gatheredFor(pod).shown.gone.push(pod)
  return attempts.values()
}

type Gathered = {
  job: SeenJob | undefined
  workload?: SeenWorkload | undefined
  pods: SeenPod[]
  gone: SeenPod[]
  events: SeenEvent[]
}
