import type { Pool } from '#db/client.ts'
import { purgeEvaluations } from '#db/commands/purge-evaluation.ts'
import { listPurgeableEvaluations } from '#db/queries/deleted-evaluations.ts'
import { listUnsettledRuns } from '#db/queries/unsettled-runs.ts'
import { apply, type Hands } from './apply.ts'
import { createLauncher } from './launch-due.ts'
import { startLoop } from './loop.ts'
import { plan } from './plan.ts'
import type { Runtime } from './runtime.ts'

export type BridgeOptions = {
  /** Not through a pooler: the bridge listens. */
  db: Pool
  runtime: Runtime
  /** Name of this bridge: never used before, not by an earlier start either. */
  holder: string
  /** Told what went wrong and will be tried again. */
  onError: (error: unknown) => void
  /** Told at the end of each pass whether it did all it was to do. */
  onPass?: (isComplete: boolean) => void
  /** Longest time between two passes; 1000 unless told. */
  intervalMs?: number
}

export type Bridge = {
  /** Launches nothing more and ends no run, whatever its adapter does; resolves when that holds. What runs goes on. */
  pause(): Promise<void>
  /** Pauses, and ends all that was launched; those runs get another attempt at the next start. The caller ends `db`. */
  stop(): Promise<void>
}

/** Bounds of one pass. */
const endedMax = 1000
const purgedMax = 100

/**
 * Makes the runtime run what the queue holds, and settles what has ended, until it is stopped.
 *
 * A pass is made when functions say that something was submitted, cancelled or deleted, when something launched has ended, after each
 * (re)connection, and at least once an interval. It reads all there is; nothing it needs is in memory only.
 *
 * To stop a local hub: `pause`, then refuse and finish requests, then `stop`. So the last words of an adapter that is being ended
 * reach nobody, and its run is neither failed nor completed by them.
 */
export async function startBridge({ db, runtime, holder, onError, onPass, intervalMs = 1000 }: BridgeOptions): Promise<Bridge> {
  const hands: Hands = { db, runtime, holder, onError }
  const startedAtMs = performance.now()
  const launchDue = createLauncher(hands)
  const loop = startLoop(
    async () => {
      let isComplete = false
      try {
        await reconcile(hands, startedAtMs)
        if (await launchDue()) loop.wake()
        await purge(hands)
        isComplete = true
      } finally {
        onPass?.(isComplete)
      }
    },
    { intervalMs, onError },
  )
  runtime.watch(loop.wake)
  const listening = await db.listen('evalhub_bridge', loop.wake, loop.wake).catch(async (error: unknown) => {
    await loop.stop()
    throw error
  })
  return {
    pause: loop.stop,
    async stop() {
      await loop.stop()
      await listening.unlisten()
      await runtime.close()
    },
  }
}

async function reconcile(hands: Hands, startedAtMs: number): Promise<void> {
  const { db, runtime, holder } = hands
  // The runtime before the database: what an adapter reported before it ended is then in the picture.
  const [nowMs, objects] = [performance.now(), runtime.observe()]
  const present = objects.map(({ evaluationId, benchmarkIndex, attempt }) => ({ evaluationId, benchmarkIndex, attempt }))
  const runs = await listUnsettledRuns(db, present, endedMax)
  const uids = runs.flatMap(({ launch }) => launch?.objectUid ?? [])
  const leftovers = new Set(uids.filter((uid) => runtime.isLeftover(uid)))
  await apply(hands, plan({ runs, objects, leftovers, holder, startedAtMs, nowMs }))
}

/** Files before rows: if it is interrupted, the rows are found again. Files that cannot be removed are told and left. */
async function purge({ db, runtime, onError }: Hands): Promise<void> {
  const ids = await listPurgeableEvaluations(db, purgedMax)
  for (const id of ids) await runtime.removeFiles(id).catch(onError)
  await purgeEvaluations(db, ids)
}
