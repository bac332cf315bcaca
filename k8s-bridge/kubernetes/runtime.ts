import type { UnsettledRun } from '#db/queries/unsettled-runs.ts'
import type { FailureClass } from '#shared/domain/failure-class.ts'
import { attemptName, jobName, type AttemptKey } from '#shared/domain/attempt-key.ts'
import { decode } from '#shared/decode.ts'
import { readLastWords } from '#shared/domain/last-words.ts'
import { HubError } from '#shared/errors.ts'
import { isTerminal } from '#shared/models/states.ts'
import { StatusEvent, type BenchmarkStatusEvent } from '#shared/models/event.ts'
import { withLastLines } from '../last-lines.ts'
import type { EndedObject, LastWords, Obstacle, RunEnd, Runtime } from '../runtime.ts'
import type { KubernetesApi } from './api.ts'
import { namespaceOf } from './attempt.ts'
import type { OpenStream } from './api-stream.ts'
import { viewCluster, type ClusterView } from './cluster-view.ts'
import { findJobUid, hasPods, isLeaving, markJob, removeJob, removePods, sealJob } from './job-actions.ts'
import { launch } from './launch.ts'
import type { AttemptLogs } from './attempt-logs.ts'
import { jobsOf, launchedObject, type ObservedJob } from './observe.ts'
import type { SeenEnd, WaitLimits } from './outcome.ts'
import { refusalOf } from './refusal.ts'
import type { KubernetesSettings } from './settings.ts'

export type KubernetesRuntimeOptions = {
  api: KubernetesApi
  open: OpenStream
  settings: KubernetesSettings
  logs: AttemptLogs
  /** Runs under way at once, over all bridges. */
  limits: { perTenant: number; total: number }
  waitLimits: WaitLimits
  /** Absent: all, which needs rights in all. */
  namespaces?: readonly string[]
  /** Told what went wrong and is tried again. */
  onError: (error: unknown) => void
  /** Told of every watch that began anew: which kind, and why. */
  onRestart: (kind: string, why: string) => void
}

/** A launched Job that is not seen for so long has been deleted; what is not yet seen is younger. */
const absentAfterSeconds = 10

/** Runs are Jobs, one an attempt, in the namespace of their tenant. What it launched goes on without it. */
export function createKubernetesRuntime(options: KubernetesRuntimeOptions): Runtime {
  const { api, settings, logs, limits, waitLimits, onError } = options
  let view: ClusterView | undefined
  /** Of the last look, by `attemptName`. */
  let seen = new Map<string, ObservedJob>()
  const ending = createEnding(api, onError)

  const find = (attempt: AttemptKey) => seen.get(attemptName(attempt))
  return {
    limits,
    triesMax: Infinity,
    leaveMs: 60_000,
    deadlineSlackMs: 15 * 60_000,
    watch(onChange) {
      const { open, namespaces, onRestart } = options
      view = viewCluster({ open, hubId: settings.hubId, ...(namespaces && { namespaces }), onChange, onRestart, onError })
    },
    unwatch() {
      void view?.close().catch(onError)
      view = undefined
      logs.follow([])
    },
    freeSlots: () => Infinity,
    refusal: (spec) => refusalOf(spec, settings),
    async launch(claim, withinMs) {
      const launched = await launch(api, settings, { ...claim, signal: AbortSignal.timeout(Math.ceil(withinMs)) })
      return 'obstacle' in launched ? { obstacle: obstacleOf(launched.obstacle, waitLimits) } : launched
    },
    observe() {
      if (!view?.isSynced()) return undefined
      seen = jobsOf(view.attempts())
      logs.follow([...seen.values()])
      // What was launched is told by wall clocks; one that jumps moves no deadline, which the database keeps.
      const nowMs = performance.now()
      const offsetMs = nowMs - Date.now()
      return Array.from(seen.values(), (shown) => launchedObject(shown, waitLimits, (ms) => Math.min(ms + offsetMs, nowMs)))
    },
    absence: (run) => (isTooEarly(run) ? 'unknown' : VANISHED),
    end(attempt, toBeSeen) {
      const shown = find(attempt)
      if (shown) ending.begin(shown, toBeSeen)
    },
    async mark(object, mark, { test }) {
      const job = find(object)?.job
      if (job && job.deletedAtMs === undefined) await markJob(api, job, mark, test, new Date())
    },
    async lastWords(object) {
      const shown = find(object)
      if (shown) await refuseUnseenPods(api, shown)
      return lastWordsOf(logs, shown, object)
    },
    async release(object, isKept) {
      const shown = find(object)
      if (!shown) return
      if (isKept) await refuseUnseenPods(api, shown)
      // The log of a run that is gone has no place any more.
      await logs.finish(shown).catch(isKept ? rethrow : onError)
      await (isKept ? sealJob(api, shown.job) : removeJob(api, shown))
    },
    async salvage(run) {
      const uid = await findJobUid(api, namespaceOf(run, settings), jobName(run))
      if (uid !== undefined && uid === run.launch?.objectUid) throw new Error(`Job ${jobName(run)} is not seen, and is there`)
    },
    async removeFiles(evaluationId, index) {
      const own = [...seen.values()].filter(({ job }) => isOf(job, evaluationId, index))
      await Promise.all(own.map((shown) => removeJob(api, shown)))
    },
    async close() {
      await view?.close()
      await logs.close()
    },
  }
}

const rethrow = (error: unknown) => {
  throw error
}

const isOf = (job: AttemptKey, evaluationId: string, index: number | undefined) =>
  job.evaluationId === evaluationId && (index ?? job.benchmarkIndex) === job.benchmarkIndex

/** Kinds are watched apart, so a Job's end may be seen before its pod: whose words and log must not be missed. Throws then; a later pass sees it. */
async function refuseUnseenPods(api: KubernetesApi, { job, pods, gone }: ObservedJob): Promise<void> {
  if (pods.length + gone.length > 0) return
  if (await hasPods(api, job)) throw new Error(`The pod of Job ${job.name} is there, and was not seen yet`)
}

/** Removes Jobs in the background, or only the pods of those that are to be seen; each once at a time. */
function createEnding(api: KubernetesApi, onError: (error: unknown) => void) {
  const underWay = new Set<string>()
  return {
    begin(shown: ObservedJob, toBeSeen: boolean) {
      const { uid } = shown.job
      if (underWay.has(uid) || isLeaving(shown, toBeSeen)) return
      underWay.add(uid)
      const remove = toBeSeen ? removePods : removeJob
      void remove(api, shown)
        .catch(onError)
        .finally(() => underWay.delete(uid))
    },
  }
}

/** What goes on and was launched just now may not be seen yet. What has ended is looked for once more before it is settled. */
const isTooEarly = ({ state, launch }: UnsettledRun) => !isTerminal(state) && launch !== null && launch.secondsAgo < absentAfterSeconds

const VANISHED: RunEnd = {
  failureClass: 'vanished',
  message: 'The Job of this attempt was deleted by somebody other than EvalHub before the benchmark had ended.',
}

const CAPACITY: ReadonlySet<FailureClass> = new Set(['quota', 'unschedulable'])

const obstacleOf = ({ failureClass, message }: RunEnd, { capacitySeconds, missingSeconds }: WaitLimits): Obstacle => ({
  failureClass,
  message,
  limitSeconds: CAPACITY.has(failureClass) ? capacitySeconds : missingSeconds,
})

async function lastWordsOf(logs: AttemptLogs, shown: ObservedJob | undefined, object: EndedObject): Promise<LastWords> {
  if (!shown) return { events: [], outcome: object.end.outcome }
  await logs.finish(shown)
  const events = readLastWords(await logs.lastOutput(object, 'sidecar')).flatMap(eventOf)
  return { events, outcome: await withWords(logs, object, object.end.outcome) }
}

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
