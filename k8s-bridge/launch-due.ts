import { claimLaunches, type Claim } from '#db/commands/claim-launches.ts'
import { deferLaunches, type Deferral } from '#db/commands/defer-launch.ts'
import { endRun } from '#db/commands/end-run.ts'
import { recordLaunches, type Launched } from '#db/commands/record-launch.ts'
import { listQueuedRuns } from '#db/queries/queued-runs.ts'
import type { AttemptKey } from '#db/queries/unsettled-runs.ts'
import type { Hands } from './apply.ts'
import type { RunEnd } from './runtime.ts'

const leaseSeconds = 10
/** Kept free at a lease's end for recording. */
const leaseMarginMs = 2000
/** How often the whole queue is looked at, and not only what came since. */
const fullClaimMs = 30_000
/** Rows may become visible out of order: a submit's time is its beginning, not its commit. */
const overlapMs = 2000
/** Claims of a row before an error that repeats is taken for final. */
const triesMax = 8
/** Queued runs looked at, and refused, in one pass at most: others wait for its end. */
const queuedPageSize = 500
const refusedMax = 20

/**
 * Launches what is due: one call a pass. True if it left something that could be done at once.
 *
 * Goes on where the last call ended, so that rows which have left the queue are not met again and again, and looks at the whole queue every
 * 30 s. Remembers only where it was: forgetting that costs one full look.
 */
export function createLauncher(hands: Hands): () => Promise<boolean> {
  const since = new Map<string, number>()
  let fullClaimAt = performance.now()
  let lastQueuedId = 0

  return async () => {
    const { isMore, lastId } = await refuseQueued(hands, lastQueuedId)
    lastQueuedId = lastId
    if (performance.now() - fullClaimAt > fullClaimMs) {
      since.clear()
      fullClaimAt = performance.now()
    }
    const limit = hands.runtime.freeSlots()
    if (limit <= 0) return isMore
    const leaseEndsAtMs = performance.now() + leaseSeconds * 1000 - leaseMarginMs
    const claims = await claimLaunches(hands.db, { holder: hands.holder, limit, leaseSeconds, since: Object.fromEntries(since) })
    for (const { tenant, dueAtMs } of claims) since.set(tenant, Math.max(since.get(tenant) ?? 0, dueAtMs - overlapMs))
    await launchAll(hands, claims, leaseEndsAtMs)
    return isMore
  }
}

/** Fails runs that can never be launched, whether a slot is free or not. Each row is looked at once; one that is missed is refused when claimed. */
async function refuseQueued(hands: Hands, afterId: number): Promise<{ isMore: boolean; lastId: number }> {
  const queued = await listQueuedRuns(hands.db, afterId, queuedPageSize)
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

type Result = { launched: Launched } | { deferred: Deferral } | 'refused' | 'too late'

async function launchAll(hands: Hands, claims: readonly Claim[], leaseEndsAtMs: number): Promise<void> {
  const results = await Promise.all(claims.map((claim) => launchOne(hands, claim, leaseEndsAtMs)))
  const launched = results.flatMap((result) => (typeof result === 'object' && 'launched' in result ? [result.launched] : []))
  const deferred = results.flatMap((result) => (typeof result === 'object' && 'deferred' in result ? [result.deferred] : []))
  await recordLaunches(hands.db, hands.holder, launched)
  await deferLaunches(hands.db, hands.holder, deferred)
}

async function launchOne(hands: Hands, claim: Claim, leaseEndsAtMs: number): Promise<Result> {
  // By now the row may be another bridge's.
  if (performance.now() > leaseEndsAtMs) return 'too late'
  const { queueId, evaluationId, benchmarkIndex, attempt, tries } = claim
  try {
    const result = hands.runtime.refusal(claim.spec)
    const outcome = result ? { refused: result } : await hands.runtime.launch(claim)
    if ('objectUid' in outcome) return { launched: { queueId, evaluationId, benchmarkIndex, attempt, objectUid: outcome.objectUid } }
    await refuse(hands, claim, outcome.refused)
    return 'refused'
  } catch (error) {
    hands.onError(error)
    const reason = error instanceof Error ? error.message : String(error)
    if (tries < triesMax) return { deferred: { queueId, reason, delaySeconds: Math.min(2 ** tries, 60) } }
    await refuse(hands, claim, { failureClass: 'launch_failed', message: `The benchmark could not be started: ${reason}` })
    return 'refused'
  }
}
