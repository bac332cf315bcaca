import type { Claim } from '#db/commands/claim-launches.ts'
import { deferLaunches, type Deferral } from '#db/commands/defer-launch.ts'
import { endRun } from '#db/commands/end-run.ts'
import { noteWarnings, type LaunchWarning } from '#db/commands/note-warning.ts'
import { noteWaiting, type WaitingRun } from '#db/commands/note-waiting.ts'
import { recordLaunches, type Launched } from '#db/commands/record-launch.ts'
import { listQueuedRuns } from '#db/queries/queued-runs.ts'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import type { Waiting } from '#shared/domain/waiting.ts'
import type { Hands } from './apply.ts'
import { createClaimer } from './claimer.ts'
import { patienceOf } from './plan.ts'
import type { Obstacle, RunEnd } from './runtime.ts'

const leaseSeconds = 10
/** Kept free at a lease's end for recording. */
const leaseMarginMs = 2000
/** Launches under way at once: as many as a slow cluster answers well within a lease. */
const underWayMax = 48
/** Rows are claimed for so many launches at once, so that those under load share a claim and what records it. */
const claimMin = underWayMax / 2
/** Queued runs looked at, and refused, in one pass at most: others wait for its end. */
const queuedPageSize = 500
/** How long a run that cannot be launched here waits before it fails of it: until then, whoever drives its adapter elsewhere can report for it. */
const refusalAfterSeconds = 2
const refusedMax = 20

export type Launcher = {
  /** One pass: records what was launched since the last one, and begins to launch what is due. True if it left something that could be done at once. */
  pass(): Promise<boolean>
  /** Makes the next pass look at the whole queue. */
  forget(): void
  /** Resolves when nothing is being launched, and all that was is recorded. No pass may be made meanwhile, nor after. */
  finish(): Promise<void>
}

/** `lost`: when it was to be recorded, the lease was another bridge's, or the run had been taken back. */
export type LaunchOutcome = 'launched' | 'deferred' | 'refused' | 'lost'
export type OnLaunch = (outcome: LaunchOutcome, count: number) => void

/**
 * Launches what is due. A launch that is slow holds up no other: each pass fills the places that have become free, and `wake` is called when one has.
 */
export function createLauncher(hands: Hands, wake: () => void, onLaunch: OnLaunch = () => {}): Launcher {
  const claimer = createClaimer(hands.db)
  const underWay = new Set<Promise<void>>()
  const done: Result[] = []
  let lastQueuedId = 0

  const begin = (claim: Claim, leaseEndsAtMs: number) => {
    const launching = launchOne(hands, claim, leaseEndsAtMs)
      .then((result) => void done.push(result), hands.onError)
      .finally(() => {
        underWay.delete(launching)
        wake()
      })
    underWay.add(launching)
  }
  const claimFor = async (limit: number) => {
    const leaseEndsAtMs = performance.now() + leaseSeconds * 1000 - leaseMarginMs
    const { holder, runtime } = hands
    const limits = runtime.limits && { limits: runtime.limits }
    const claims = await claimer.claim({ holder, limit, leaseSeconds, ...limits })
    for (const claim of claims) begin(claim, leaseEndsAtMs)
  }
  return {
    async pass() {
      await record(hands, done.splice(0), onLaunch)
      const { isMore, lastId } = await refuseQueued(hands, lastQueuedId)
      lastQueuedId = lastId
      const places = underWayMax - underWay.size
      const limit = Math.min(hands.runtime.freeSlots() - underWay.size, places)
      if (limit > 0 && places >= claimMin) await claimFor(limit)
      return isMore
    },
    forget: claimer.forget,
    async finish() {
      await Promise.all(underWay)
      await record(hands, done.splice(0), onLaunch).catch(hands.onError)
    },
  }
}

/** Fails runs that can never be launched, whether a slot is free or not. Each row is looked at once; one that is missed is refused when claimed. */
async function refuseQueued(hands: Hands, afterId: number): Promise<{ isMore: boolean; lastId: number }> {
  const queued = await listQueuedRuns(hands.db, afterId, { limit: queuedPageSize, dueSeconds: refusalAfterSeconds })
  let refused = 0
  for (const run of queued) {
    const refusal = hands.runtime.refusal(run.spec)
    if (!refusal) continue
    await refuse(hands, run, refusal)
    if (++refused === refusedMax) return { isMore: true, lastId: run.queueId }
  }
  return { isMore: queued.length === queuedPageSize, lastId: queued.at(-1)?.queueId ?? afterId }
}

async function refuse({ db }: Hands, { evaluationId, benchmarkIndex, attempt }: AttemptKey, end: RunEnd): Promise<void> {
  await endRun(db, { evaluationId, benchmarkIndex, attempt, ...end }, new Date().toISOString())
}

type Result = { launched: Launched; warning?: LaunchWarning } | { deferred: Deferral; waiting: WaitingRun } | 'refused' | 'too_late'

async function record({ db, holder, onError, onWarning, runLog }: Hands, results: readonly Result[], onLaunch: OnLaunch): Promise<void> {
  const others = results.filter((result) => typeof result === 'object')
  const launched = others.flatMap((result) => ('launched' in result ? [result.launched] : []))
  const deferred = others.filter((result) => 'deferred' in result)
  const recorded = await recordLaunches(db, holder, launched)
  runLog?.launched(launched.flatMap(({ queueId, ...attempt }) => (recorded.has(queueId) ? [attempt] : [])))
  const warnings = others.flatMap((result) =>
    'launched' in result && result.warning && recorded.has(result.launched.queueId) ? [result.warning] : [],
  )
  if (warnings.length > 0) onWarning?.(warnings)
  // What runs already runs on, whether or not anything can be said about it.
  await noteWarnings(db, warnings).catch(onError)
  await deferLaunches(
    db,
    holder,
    deferred.map((result) => result.deferred),
  )
  await noteWaiting(
    db,
    deferred.map(({ waiting }) => waiting),
  )
  onLaunch('launched', recorded.size)
  onLaunch('deferred', deferred.length)
  onLaunch('refused', results.filter((result) => result === 'refused').length)
  onLaunch('lost', launched.length - recorded.size + results.filter((result) => result === 'too_late').length)
}

async function launchOne(hands: Hands, claim: Claim, leaseEndsAtMs: number): Promise<Result> {
  const { queueId, evaluationId, benchmarkIndex, attempt, tries } = claim
  const leftMs = leaseEndsAtMs - performance.now()
  // By now the row may be another bridge's.
  if (leftMs <= 0) return 'too_late'
  try {
    const refusal = hands.runtime.refusal(claim.spec)
    if (refusal && tries === 1) return later(claim, refusal.message, { kind: refusal.failureClass, message: refusal.message })
    const outcome = refusal ? { refused: refusal } : await hands.runtime.launch(claim, leftMs)
    if ('objectUid' in outcome) {
      const { objectUid, warning } = outcome
      const key = { evaluationId, benchmarkIndex, attempt }
      return { launched: { queueId, ...key, objectUid }, ...(warning !== undefined && { warning: { ...key, warning } }) }
    }
    if ('obstacle' in outcome) return await meet(hands, claim, outcome.obstacle)
    await refuse(hands, claim, outcome.refused)
    return 'refused'
  } catch (error) {
    hands.onError(error)
    const reason = error instanceof Error ? error.message : String(error)
    if (tries < hands.runtime.triesMax) return later(claim, reason, TROUBLE)
    await refuse(hands, claim, { failureClass: 'launch_failed', message: `The benchmark could not be started: ${reason}` })
    return 'refused'
  }
}

/** What the user is told; the operator finds the error in the log and in the queue. */
const TROUBLE: Waiting = {
  kind: 'trouble',
  message: 'The benchmark could not be started, for no fault of its own. EvalHub tries again until it can.',
}

function later({ queueId, evaluationId, benchmarkIndex, attempt, tries }: Claim, reason: string, waiting: Waiting): Result {
  const deferred = { queueId, reason, delaySeconds: Math.min(2 ** Math.min(tries, 6), 60) }
  return { deferred, waiting: { evaluationId, benchmarkIndex, attempt, waiting } }
}

/** An obstacle is told and borne for a while; then the run fails of it. */
async function meet(hands: Hands, claim: Claim, { failureClass, message, limitSeconds }: Obstacle): Promise<Result> {
  const { waiting } = claim
  if (waiting?.kind !== failureClass || waiting.sinceSecondsAgo < limitSeconds) {
    return later(claim, message, { kind: failureClass, message })
  }
  await refuse(hands, claim, { failureClass, message: `${message} ${patienceOf(limitSeconds)}` })
  return 'refused'
}
