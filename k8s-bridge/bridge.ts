import { setTimeout as delay } from 'node:timers/promises'
import type { Pool } from '#db/client.ts'
import { noteBridge } from '#db/commands/note-bridge.ts'
import { purgeEvaluations } from '#db/commands/purge-evaluation.ts'
import { listPurgeableEvaluations } from '#db/queries/deleted-evaluations.ts'
import type { ObserverLock } from '#db/observer-lock.ts'
import { listUnsettledRuns } from '#db/queries/unsettled-runs.ts'
import { attemptKey, attemptName } from '#shared/domain/attempt-key.ts'
import { apply, type Hands } from './apply.ts'
import { createLauncher, type OnLaunch } from './launch-due.ts'
import { startLoop } from './loop.ts'
import { plan } from './plan.ts'
import type { RunLog } from './run-log.ts'
import type { Runtime } from './runtime.ts'

export type BridgeOptions = {
  /** Not through a pooler: the bridge listens. */
  db: Pool
  runtime: Runtime
  /** Name of this bridge: never used before, not by an earlier start either. */
  holder: string
  /** Told what went wrong and will be tried again. */
  onError: (error: unknown) => void
  /** Told what the users of runs were warned of at their launch. */
  onWarning?: Hands['onWarning']
  /** Told what becomes of runs. */
  runLog?: RunLog
  /** Absent where this is the only bridge. */
  observerLock?: ObserverLock
  /** Told at the end of each pass whether it did all it was to do. */
  onPass?: (loop: LoopName, isComplete: boolean) => void
  /** Told of launches that were tried. */
  onLaunch?: OnLaunch
  /** Told in each pass whether this bridge is the one that observes. */
  onObserver?: (isObserver: boolean) => void
  /** Longest time between two passes; 1000 unless told. */
  intervalMs?: number
}

/** The two that a bridge has. */
export type LoopName = 'launching' | 'observing'

export type Bridge = {
  /** Launches nothing more and ends no run, whatever its adapter does; resolves when that holds. What runs goes on. */
  pause(): Promise<void>
  /** Pauses, and ends all that was launched; those runs get another attempt at the next start. The caller ends `db`. */
  stop(): Promise<void>
}

/** Bounds of one pass. */
const endedMax = 1000
const purgedMax = 100
/** Launched things up to which a pass looks at all of them; beyond, it does so this often, and at those that have ended always. */
const alwaysMax = 1000
const everyLaunchedMs = 5000
/** Pause after a pass that saw more than that: what changes meanwhile is seen together. */
const manyPauseMs = 250

/**
 * Makes the runtime run what the queue holds, and settles what has ended, until it is stopped.
 *
 * Of two loops one launches and one observes; each makes a pass when functions say that something was submitted, cancelled or deleted, after each
 * (re)connection, and at least once an interval; the one that observes also when something launched has changed, and the other when that made
 * room. A pass reads all there is; nothing it needs is in memory only. Every bridge launches; where there may be several, the one that holds
 * `observerLock` observes.
 *
 * To stop a local hub: `pause`, then refuse and finish requests, then `stop`. So the last words of an adapter that is being ended
 * reach nobody, and its run is neither failed nor completed by them.
 */
export async function startBridge(options: BridgeOptions): Promise<Bridge> {
  const { db, runtime, holder, onError, observerLock, onPass, intervalMs = 1000 } = options
  const hands: Hands = { db, runtime, holder, onError, onWarning: options.onWarning, runLog: options.runLog }
  const launcher = createLauncher(hands, () => launching.wake(), options.onLaunch)
  const reconcile = createReconciler(hands)
  const pausing = new AbortController()
  let isWatching = false

  const told = (loop: LoopName, pass: () => Promise<void>) => async () => {
    let isComplete = false
    try {
      await pass()
      isComplete = true
    } finally {
      onPass?.(loop, isComplete)
    }
  }
  const launch = async () => {
    if (await launcher.pass()) launching.wake()
  }
  const observe = async () => {
    await noteBridge(db)
    const isObserver = !observerLock || (await observerLock.isHeld())
    options.onObserver?.(isObserver)
    if (isObserver !== isWatching) {
      if (isObserver) runtime.watch(() => observing.wake())
      else runtime.unwatch()
      isWatching = isObserver
    }
    if (!isObserver) return
    const { seen, isRoomMade } = await reconcile()
    if (isRoomMade) launching.wake()
    await purge(hands)
    if (seen > alwaysMax) await delay(manyPauseMs, undefined, { signal: pausing.signal }).catch(() => {})
  }
  const launching = startLoop(told('launching', launch), { intervalMs, onError })
  const observing = startLoop(told('observing', observe), { intervalMs, onError })
  const wake = () => {
    observing.wake()
    launching.wake()
  }
  const pause = async () => {
    pausing.abort()
    await Promise.all([launching.stop(), observing.stop()])
    await launcher.finish()
  }
  const begin = () => {
    launcher.forget()
    wake()
  }
  const listening = await db.listen('evalhub_bridge', wake, begin).catch(async (error: unknown) => {
    await pause()
    throw error
  })
  return {
    pause,
    async stop() {
      await pause()
      await listening.unlisten()
      await runtime.close()
    },
  }
}

/** Answers how many launched things there are, and whether something has ended, so that there may be room for others. */
function createReconciler(hands: Hands): () => Promise<{ seen: number; isRoomMade: boolean }> {
  const { db, runtime } = hands
  let everyLaunchedAtMs = -Infinity
  return async () => {
    // The runtime before the database: what an adapter reported before it ended is then in the picture.
    const [nowMs, objects] = [performance.now(), runtime.observe()]
    const everyLaunched = (objects?.length ?? 0) <= alwaysMax || nowMs - everyLaunchedAtMs >= everyLaunchedMs
    if (everyLaunched) everyLaunchedAtMs = nowMs
    const asked = (objects ?? []).filter(({ end, isSealed }) => !isSealed && (everyLaunched || end))
    const runs = await listUnsettledRuns(db, { present: asked.map(attemptKey), limit: endedMax, everyLaunched })
    const known = new Set([...asked, ...runs].map(attemptName))
    const actions = plan({ runs, objects: objects?.filter((object) => known.has(attemptName(object))), nowMs, runtime })
    await apply(hands, actions)
    return { seen: objects?.length ?? 0, isRoomMade: actions.some((action) => action.do === 'conclude' || action.do === 'settle') }
  }
}

/** Files before rows: if it is interrupted, the rows are found again. Files that cannot be removed are told and left. */
async function purge({ db, runtime, onError }: Hands): Promise<void> {
  const ids = await listPurgeableEvaluations(db, purgedMax)
  for (const id of ids) await runtime.removeFiles(id).catch(onError)
  await purgeEvaluations(db, ids)
}
