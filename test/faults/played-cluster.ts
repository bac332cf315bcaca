import { setTimeout as delay } from 'node:timers/promises'
import { setHeaderOptions, type V1ContainerStatus, type V1Job, type V1Pod, type V1PodStatus } from '@kubernetes/client-node'
import type { KubernetesApi } from '#k8s-bridge/kubernetes/api.ts'
import { mannerOf, playAdapter, type Acknowledged } from './played-adapter.ts'

/** Plays, on an API server alone, what else a cluster has: job controller, scheduler, kubelet, adapters, and what removes objects. */
export type PlayedCluster = {
  /** To be told of every change of every Job. */
  onChange(job: V1Job, isGone: boolean): void
  /** Results that the hub has taken. */
  acknowledged: readonly Acknowledged[]
  /** Uids of the Jobs whose adapter ran, by name. */
  ran: ReadonlyMap<string, ReadonlySet<string>>
  /** Removes what an owner has left, and Jobs as if the time had come that the bridge gave them. Answers what is then left, and should not be. */
  sweep(namespaces: readonly string[]): Promise<string[]>
  /** Nothing is played from here on. */
  stop(): Promise<void>
}

type Options = {
  api: KubernetesApi
  eventsUrl: string
  /** Longest time that an adapter works. */
  workMsMax: number
}

const MERGE_PATCH = setHeaderOptions('Content-Type', 'application/merge-patch+json')
const ATTEMPT = /^evalhub-(.{36})-0-(\d+)$/

export function playCluster({ api, eventsUrl, workMsMax }: Options): PlayedCluster {
  const acknowledged: Acknowledged[] = []
  const ran = new Map<string, Set<string>>()
  const known = new Map<string, { isOver: boolean; isLeaving: boolean }>()
  const underWay = new Set<Promise<unknown>>()
  let isStopped = false

  const play = async (job: V1Job, state: { isOver: boolean }) => {
    const { namespace = '', name = '', uid = '' } = job.metadata ?? {}
    const [, evaluationId = '', attempt = ''] = ATTEMPT.exec(name) ?? []
    const isOver = () => state.isOver || isStopped
    await delay(Math.random() * 200)
    const pod = await persist(() => makePod(api, job), isOver)
    const runToken = await persist(() => runTokenOf(api, namespace, name), isOver)
    if (!pod || runToken === undefined) return
    ran.set(name, (ran.get(name) ?? new Set()).add(uid))
    const played = { evaluationId, attempt: Number(attempt), tenant: namespace, runToken, eventsUrl }
    const end = await playAdapter(played, mannerOf(Math.random()), Math.random() * workMsMax, isOver)
    acknowledged.push(...end.acknowledged)
    await persist(() => endPod(api, job, pod, end.exitCode), isOver)
  }
  const track = (work: Promise<unknown>) => {
    const tracked = work
      .catch((error: unknown) => console.error('the played cluster failed:', error))
      .finally(() => underWay.delete(tracked))
    underWay.add(tracked)
  }
  return {
    acknowledged,
    ran,
    onChange(job, isGone) {
      const uid = job.metadata?.uid ?? ''
      const isNew = !known.has(uid)
      const state = known.get(uid) ?? { isOver: false, isLeaving: false }
      known.set(uid, state)
      if (isStopped) return
      state.isOver ||= isGone || job.metadata?.deletionTimestamp !== undefined
      if (isNew && !state.isOver && !hasEnded(job)) track(play(job, state))
      if (!isGone && job.metadata?.deletionTimestamp !== undefined && !state.isLeaving) {
        state.isLeaving = true
        track(
          persist(
            () => takeAway(api, job),
            () => isStopped,
          ),
        )
      }
    },
    sweep: async (namespaces) => (await Promise.all(namespaces.map((namespace) => sweep(api, namespace)))).flat(),
    async stop() {
      isStopped = true
      await Promise.all(underWay)
    },
  }
}

const hasEnded = ({ status }: V1Job) =>
  (status?.conditions ?? []).some(({ type, status }) => ['Complete', 'Failed'].includes(type) && status === 'True')

/** Until it works, or what it is for has gone: a controller never gives up. */
async function persist<T>(act: () => Promise<T | undefined>, isOver: () => boolean): Promise<T | undefined> {
  while (!isOver()) {
    try {
      const done = await act()
      if (done !== undefined) return done
    } catch (error) {
      if ([404, 409, 422].includes((error as { code?: number }).code ?? 0)) return undefined
    }
    await delay(200)
  }
  return undefined
}

async function makePod({ core }: KubernetesApi, job: V1Job): Promise<V1Pod> {
  const { namespace = '', name = '', uid = '' } = job.metadata ?? {}
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true }
  const { metadata, spec } = job.spec!.template
  const body = { metadata: { ...metadata, name: `${name}-pod`, ownerReferences: [owner] }, spec: { ...spec!, nodeName: 'node-1' } }
  await core.createNamespacedPod({ namespace, body }).catch((error: { code?: number }) => {
    if (error.code !== 409) throw error
  })
  const since = new Date().toISOString() as never
  const status = { phase: 'Running', startTime: since, ...adapterIs({ running: { startedAt: since } }) }
  return core.patchNamespacedPodStatus({ namespace, name: `${name}-pod`, body: { status } }, MERGE_PATCH)
}

/** A pod does not start before its Secret is there. */
async function runTokenOf({ core }: KubernetesApi, namespace: string, name: string): Promise<string | undefined> {
  const secret = await core.readNamespacedSecret({ namespace, name: `${name}-run` }).catch((error: { code?: number }) => {
    if (error.code !== 404) throw error
  })
  const encoded = secret?.data?.['run-token']
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString()
}

async function endPod({ core, batch }: KubernetesApi, job: V1Job, pod: V1Pod, exitCode: number): Promise<true> {
  const now = new Date().toISOString() as never
  const { namespace = '', name = '' } = job.metadata ?? {}
  const terminated = { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', startedAt: now, finishedAt: now }
  const status = { phase: exitCode === 0 ? 'Succeeded' : 'Failed', ...adapterIs({ terminated }) }
  await core.patchNamespacedPodStatus({ namespace, name: pod.metadata!.name!, body: { status } }, MERGE_PATCH)
  const types = exitCode === 0 ? ['SuccessCriteriaMet', 'Complete'] : ['FailureTarget', 'Failed']
  const conditions = types.map((type) => ({ type, status: 'True', lastTransitionTime: now, reason: 'Test', message: '' }))
  const counts = exitCode === 0 ? { succeeded: 1, completionTime: now } : { failed: 1 }
  const body = { status: { startTime: now, conditions, uncountedTerminatedPods: {}, ...counts } }
  await batch.patchNamespacedJobStatus({ namespace, name, body }, MERGE_PATCH)
  return true
}

const adapterIs = (state: V1ContainerStatus['state']): Partial<V1PodStatus> => ({
  containerStatuses: [{ name: 'adapter', image: 'i', imageID: 'i', ready: false, restartCount: 0, started: true, state: state! }],
})

/** A Job that is being removed goes once its pods have. */
async function takeAway({ core, batch }: KubernetesApi, job: V1Job): Promise<true> {
  const { namespace = '', name = '' } = job.metadata ?? {}
  await core.deleteNamespacedPod({ namespace, name: `${name}-pod`, gracePeriodSeconds: 0 }).catch(unlessGone)
  await batch.patchNamespacedJob({ namespace, name, body: { metadata: { finalizers: [] } } }, MERGE_PATCH).catch(unlessGone)
  return true
}

function unlessGone(error: { code?: number }): void {
  if (error.code !== 404) throw error
}

async function sweep({ core, batch }: KubernetesApi, namespace: string): Promise<string[]> {
  for (const job of (await batch.listNamespacedJob({ namespace })).items) {
    const isDue = hasEnded(job) && (job.spec?.ttlSecondsAfterFinished ?? Infinity) <= 3600
    if (isDue)
      await batch.deleteNamespacedJob({ namespace, name: job.metadata!.name!, body: { propagationPolicy: 'Background' } }).catch(unlessGone)
  }
  const { items: jobs } = await batch.listNamespacedJob({ namespace })
  const uids = new Set(jobs.map(({ metadata }) => metadata?.uid))
  const [configMaps, secrets, pods] = await Promise.all([
    core.listNamespacedConfigMap({ namespace }),
    core.listNamespacedSecret({ namespace }),
    core.listNamespacedPod({ namespace }),
  ])
  const kinds = [
    ['ConfigMap', configMaps.items.filter(({ metadata }) => metadata?.name !== 'kube-root-ca.crt')],
    ['Secret', secrets.items],
    ['Pod', pods.items],
  ] as const
  const left = kinds.flatMap(([kind, items]) =>
    items
      .filter(({ metadata }) => !metadata?.ownerReferences?.length || metadata.ownerReferences.some(({ uid }) => uids.has(uid)))
      .map(({ metadata }) => `${kind} ${metadata?.name}`),
  )
  return [
    ...jobs.map(
      (job) => `Job ${job.metadata?.name}${hasEnded(job) ? ' (ended)' : ''}${job.metadata?.deletionTimestamp ? ' (leaving)' : ''}`,
    ),
    ...left,
  ]
}
