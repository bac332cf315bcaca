import type { CoreV1Event, V1Job, V1Pod } from '@kubernetes/client-node'
import type { OpenStream } from './api-stream.ts'
import type { Copies } from './observe.ts'
import { reflect, type RestartReason } from './reflector.ts'
import { trimEvent, trimJob, trimPod, trimWorkload, type RawWorkload } from './trim.ts'

export type Watching = {
  /** True once all that was there at the start has been read. */
  isSynced(): boolean
  copies(): Copies
  close(): Promise<void>
}

type Options = {
  open: OpenStream
  /** Of our Jobs and pods. */
  selector: string
  onChange: () => void
  onError: (error: unknown) => void
  onWatchRestart: (kind: string, why: RestartReason) => void
}

/** Warnings kept at most; the oldest go. */
const eventsMax = 5000
/** How long a pod that has gone is remembered: its end may tell why. */
const goneMs = 120_000

/** Copies of all Jobs and pods of this hub, of the warnings about them, and of what Kueue keeps for them where there is a Kueue. */
export function startWatching({ open, selector, onChange, onError, onWatchRestart }: Options): Watching {
  const common = (kind: string) => ({ open, onChange, onError, onRestart: (why: RestartReason) => onWatchRestart(kind, why) })
  const selectors = { labelSelector: selector }
  const jobs = reflect({ ...common('jobs'), path: '/apis/batch/v1/jobs', selectors, trim: (raw: Whole<V1Job>) => trimJob(raw) })
  const pods = reflect({ ...common('pods'), path: '/api/v1/pods', selectors, trim: (raw: Whole<V1Pod>) => trimPod(raw), goneMs })
  const events = reflect({
    ...common('events'),
    path: '/api/v1/events',
    selectors: { fieldSelector: 'type=Warning' },
    trim: (raw: Whole<CoreV1Event>) => trimEvent(raw),
    keptMax: eventsMax,
  })
  const workloads = reflect({
    ...common('workloads'),
    path: '/apis/kueue.x-k8s.io/v1beta1/workloads',
    trim: (raw: Whole<RawWorkload>) => trimWorkload(raw),
    isOptional: true,
  })
  const all = [jobs, pods, events, workloads]
  return {
    isSynced: () => jobs.isSynced() && pods.isSynced() && events.isSynced(),
    copies: () => ({ jobs: jobs.items(), pods: pods.items(), gonePods: pods.gone(), events: events.items(), workloads: workloads.items() }),
    close: async () => {
      await Promise.all(all.map((reflector) => reflector.close()))
    },
  }
}

/** The API server gives every object these. */
type Whole<T> = T & { metadata: { uid: string; resourceVersion: string } }
