import { endRun } from '#db/commands/end-run.ts'
import { retryRun } from '#db/commands/retry-run.ts'
import { settleRuns, type SettledRun } from '#db/commands/settle-run.ts'
import type { Pool } from '#db/client.ts'
import type { UnsettledRun } from '#db/queries/unsettled-runs.ts'
import type { Action } from './plan.ts'
import type { LaunchedObject, Runtime } from './runtime.ts'

export type Hands = {
  db: Pool
  runtime: Runtime
  /** Name of this bridge. */
  holder: string
  /** Told of an action that failed; the next pass plans it again. */
  onError: (error: unknown) => void
}

/** Actions carried out at once: more would take the connections that requests need. */
const concurrency = 4

/** Carries out a plan. An action that fails leaves the others alone. */
export async function apply(hands: Hands, actions: readonly Action[]): Promise<void> {
  // Signals first: a user who cancels waits for them.
  for (const action of actions) if (action.do === 'end') hands.runtime.end(action.attempt)

  const waiting = actions.filter((action) => action.do !== 'end')
  const settled: SettledRun[] = []
  const work = async () => {
    for (let action = waiting.shift(); action; action = waiting.shift()) {
      try {
        if (action.do === 'settle') settled.push(await cleanUp(hands, action))
        else await change(hands, action)
      } catch (error) {
        hands.onError(error)
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  await settleRuns(hands.db, settled)
}

async function change({ db, runtime }: Hands, action: Exclude<Action, { do: 'settle' | 'end' }>): Promise<void> {
  switch (action.do) {
    case 'release':
      return runtime.release(action.attempt)
    case 'fail':
      await endRun(db, { ...keyOf(action.run), ...action.end }, new Date().toISOString())
      return
    case 'retry':
      await runtime.salvage(action.run)
      await retryRun(db, { ...keyOf(action.run), ...action.end })
  }
}

/** Logs are kept before the run is settled, and its files go only if the user took it back. */
async function cleanUp({ runtime, holder, onError }: Hands, { run, object }: Extract<Action, { do: 'settle' }>): Promise<SettledRun> {
  if (object) await runtime.release(object)
  else if (run.launch?.holder) await runtime.salvage(run)
  if (run.isDeleted || run.state === 'cancelled') {
    // Files that cannot be removed are told and left: the run is over all the same.
    await runtime.removeFiles(run.evaluationId, run.benchmarkIndex).catch(onError)
  }
  const launch = launchOf(run, object, holder)
  const exitCode = object?.end?.outcome.exitCode
  return { ...keyOf(run), ...(launch && { launch }), ...(exitCode !== undefined && { exitCode }) }
}

function launchOf(run: UnsettledRun, object: LaunchedObject | undefined, holder: string): SettledRun['launch'] {
  if (object) return { holder, objectUid: object.objectUid, secondsAgo: (performance.now() - object.launchedAtMs) / 1000 }
  if (!run.launch?.holder) return undefined
  const { objectUid, ...launch } = run.launch
  return { ...launch, objectUid: objectUid ?? '' }
}

const keyOf = ({ evaluationId, benchmarkIndex, attempt }: UnsettledRun) => ({ evaluationId, benchmarkIndex, attempt })
