import { setHeaderOptions } from '@kubernetes/client-node'
import type { AttemptKey } from '#db/queries/unsettled-runs.ts'
import type { FailureClass } from '#shared/domain/failure-class.ts'
import { decode } from '#shared/decode.ts'
import { readLastWords } from '#shared/domain/last-words.ts'
import { HubError } from '#shared/errors.ts'
import { StatusEvent, type BenchmarkStatusEvent } from '#shared/models/event.ts'
import { withLastLines } from '../last-lines.ts'
import type { Obstacle, RunEnd, Runtime } from '../runtime.ts'
import { answerOf } from './api-answer.ts'
import type { KubernetesApi } from './api.ts'
import { jobName, namespaceOf } from './attempt.ts'
import type { OpenStream } from './api-stream.ts'
import { viewCluster, type ClusterView } from './cluster-view.ts'
import { launch } from './launch.ts'
import type { AttemptLogs } from './attempt-logs.ts'
import { jobsOf, launchedObject, nameOf, type ObservedJob } from './observe.ts'
import type { SeenEnd, WaitLimits } from './outcome.ts'
import { refusalOf } from './refusal.ts'
import type { KubernetesSettings } from './settings.ts'
import { markEvent, markPatch } from './signals.ts'
import { SEALED_LABEL } from './trim.ts'

export type KubernetesRuntimeOptions = {
  api: KubernetesApi
  open: OpenStream
  settings: KubernetesSettings
  logs: AttemptLogs
  /** Runs under way at once, over all bridges. */
  limits: { perTenant: number; total: number }
  waitLimits: WaitLimits
  /** Told what went wrong and is tried again. */
  onError: (error: unknown) => void
  /** Told of every watch that began anew: which kind, and why. */
  onRestart: (kind: string, why: string) => void
}

/** Once its evidence is kept, a Job stays so long for people to look at. */
const sealedTtlSeconds = 3600
/** What a pod that is not wanted any more may take to end. */
const cancelGraceSeconds = 30
/** A launched Job that is not seen for so long has been deleted; what is not yet seen is younger. */
const absentAfterSeconds = 10

const MERGE_PATCH = setHeaderOptions('Content-Type', 'application/merge-patch+json')

/** Runs are Jobs, one an attempt, in the namespace of their tenant. What it launched goes on without it. */
export function createKubernetesRuntime(options: KubernetesRuntimeOptions): Runtime {
  const { api, settings, logs, limits, waitLimits, onError } = options
  let view: ClusterView | undefined
  /** Of the last look, by `nameOf` their attempt. */
  let seen = new Map<string, ObservedJob>()
  const ending = new Set<string>()

  const find = (attempt: AttemptKey) => seen.get(nameOf(attempt))
  const remove = async ({ job: { namespace, name, uid }, pods }: ObservedJob) => {
    // The Job first, so that nothing makes its pod anew; the pod's own grace is for adapters whose results are wanted.
    await api.batch
      .deleteNamespacedJob({ namespace, name, body: { propagationPolicy: 'Foreground', preconditions: { uid } } })
      .catch(unlessGone)
    for (const pod of pods) {
      await api.core
        .deleteNamespacedPod({
          namespace,
          name: pod.name,
          body: { gracePeriodSeconds: cancelGraceSeconds, preconditions: { uid: pod.uid } },
        })
        .catch(unlessGone)
    }
  }

  return {
    limits,
    triesMax: Infinity,
    leaveMs: 60_000,
    deadlineSlackMs: 15 * 60_000,
    watch(onChange) {
      const { open, onRestart } = options
      view = viewCluster({ open, hubId: settings.hubId, onChange, onRestart, onError })
    },
    unwatch() {
      void view?.close().catch(onError)
      view = undefined
      logs.follow([])
    },
    freeSlots: () => Infinity,
    refusal: (spec) => refusalOf(spec, settings),
    async launch(claim, withinMs) {
      const attempt = { ...claim, memoryFactor: 1.5 ** claim.oomFailures }
      const launched = await launch(api, settings, { ...attempt, signal: AbortSignal.timeout(withinMs) })
      return 'waiting' in launched ? { obstacle: obstacleOf(launched.waiting, waitLimits) } : launched
    },
    observe() {
      if (!view?.isSynced()) return undefined
      seen = jobsOf(view.attempts())
      logs.follow([...seen.values()])
      // What was launched is told by wall clocks; one that jumps moves no deadline, which the database keeps.
      const offsetMs = performance.now() - Date.now()
      return Array.from(seen.values(), (shown) => launchedObject(shown, waitLimits, (ms) => ms + offsetMs))
    },
    absence: ({ launch }) => (launch !== null && launch.secondsAgo < absentAfterSeconds ? 'unknown' : VANISHED),
    end(attempt) {
      const shown = find(attempt)
      if (!shown || ending.has(shown.job.uid) || isLeaving(shown)) return
      ending.add(shown.job.uid)
      void remove(shown)
        .catch(onError)
        .finally(() => ending.delete(shown.job.uid))
    },
    async mark(object, mark, { test }) {
      const job = find(object)?.job
      if (!job || job.deletedAtMs !== undefined) return
      const { namespace, name } = job
      const now = new Date()
      await api.batch.patchNamespacedJob({ namespace, name, body: markPatch(job, mark, now) }, MERGE_PATCH).catch(unlessGone)
      const event = markEvent(job, mark, test, now)
      if (event) await api.core.createNamespacedEvent({ namespace, body: event }).catch(onError)
    },
    async lastWords(object) {
      const shown = find(object)
      if (!shown) return { events: [], outcome: object.end.outcome }
      await logs.finish(shown)
      const events = readLastWords(await logs.lastOutput(object, 'sidecar')).flatMap(eventOf)
      return { events, outcome: await withWords(logs, object, object.end.outcome) }
    },
    async release(object, isKept) {
      const shown = find(object)
      if (!shown) return
      if (!isKept) return remove(shown)
      await logs.finish(shown)
      const { namespace, name } = shown.job
      const body = { metadata: { labels: { [SEALED_LABEL]: 'true' } }, spec: { ttlSecondsAfterFinished: sealedTtlSeconds } }
      await api.batch.patchNamespacedJob({ namespace, name, body }, MERGE_PATCH).catch(unlessGone)
    },
    async salvage(run) {
      const namespace = namespaceOf(run, settings)
      const found = await api.batch.readNamespacedJob({ namespace, name: jobName(run) }).catch(unlessGone)
      if (found && found.metadata?.uid === run.launch?.objectUid) throw new Error(`Job ${jobName(run)} was not seen, and is there`)
    },
    async removeFiles(evaluationId, benchmarkIndex) {
      const jobs = [...seen.values()].filter(
        ({ job }) => job.evaluationId === evaluationId && (benchmarkIndex === undefined || job.benchmarkIndex === benchmarkIndex),
      )
      await Promise.all(jobs.map(remove))
    },
    async close() {
      await view?.close()
      await logs.close()
    },
  }
}

const VANISHED: RunEnd = {
  failureClass: 'vanished',
  message: 'The Job of this attempt was deleted by somebody other than EvalHub before the benchmark had ended.',
}

const isLeaving = ({ job, pods }: ObservedJob) => job.deletedAtMs !== undefined && pods.every((pod) => pod.deletedAtMs !== undefined)

function unlessGone(error: unknown): undefined {
  // 409: what has the name now is something else.
  if ([404, 409].includes(answerOf(error)?.code ?? 0)) return undefined
  throw error
}

const CAPACITY: ReadonlySet<FailureClass> = new Set(['quota', 'unschedulable'])

const obstacleOf = ({ failureClass, message }: RunEnd, { capacitySeconds, missingSeconds }: WaitLimits): Obstacle => ({
  failureClass,
  message,
  limitSeconds: CAPACITY.has(failureClass) ? capacitySeconds : missingSeconds,
})

/** What a sidecar left is judged as if it had been posted. */
function eventOf(body: string): BenchmarkStatusEvent[] {
  try {
    return [decode(StatusEvent, 'StatusEvent', body).benchmark_status_event]
  } catch (error) {
    if (error instanceof HubError) return []
    throw error
  }
}

async function withWords(logs: AttemptLogs, attempt: AttemptKey, outcome: SeenEnd | RunEnd): Promise<RunEnd> {
  const { failureClass, message, exitCode } = outcome
  const end = { failureClass, ...(exitCode !== undefined && { exitCode }) }
  if (!('speaker' in outcome)) return { ...end, message }
  return { ...end, message: withLastLines(message, await logs.lastOutput(attempt, outcome.speaker ?? 'adapter')) }
}
