import { concludeAttempt } from '#db/commands/conclude-attempt.ts'
import { noteStart } from '#db/commands/note-start.ts'
import type { LaunchWarning } from '#db/commands/note-warning.ts'
import { noteWaiting } from '#db/commands/note-waiting.ts'
import { recordEvent } from '#db/commands/record-event.ts'
import { settleRuns, type SettledRun } from '#db/commands/settle-run.ts'
import type { Pool } from '#db/client.ts'
import type { UnsettledRun } from '#db/queries/unsettled-runs.ts'
import { attemptKey } from '#shared/domain/attempt-key.ts'
import { HubError } from '#shared/errors.ts'
import type { Action } from './plan.ts'
import type { RunLog } from './run-log.ts'
import type { LaunchedObject, Runtime } from './runtime.ts'

export type Hands = {
  db: Pool
  runtime: Runtime
  /** Name of this bridge. */
  holder: string
  /** Told of an action that failed; the next pass plans it again. */
  onError: (error: unknown) => void
  /** Told what the users of runs were warned of. */
  onWarning?: ((warnings: readonly LaunchWarning[]) => void) | undefined
  runLog?: RunLog | undefined
}

type Of<Name extends Action['do']> = Extract<Action, { do: Name }>

/** Actions carried out at once: more would take the connections that requests need. */
const concurrency = 4

/** Carries out a plan. An action that fails leaves the others alone. */
export async function apply(hands: Hands, actions: readonly Action[]): Promise<void> {
  const { db, runtime, onError } = hands
  // Signals first: a user who cancels waits for them.
  for (const { attempt, toBeSeen } of select(actions, 'end')) runtime.end(attempt, toBeSeen)
  await noteWaiting(
    db,
    select(actions, 'note waiting').map(({ waiting }) => waiting),
  ).catch(onError)
  await noteStart(
    db,
    select(actions, 'note start').map(({ started }) => started),
  ).catch(onError)

  const settled: SettledRun[] = []
  const works: (() => Promise<void>)[] = [
    ...select(actions, 'conclude').map((action) => () => conclude(hands, action)),
    ...select(actions, 'mark').map(
      ({ object, mark, run }) =>
        () =>
          runtime.mark(object, mark, run),
    ),
    ...select(actions, 'release').map(
      ({ object, isKept }) =>
        () =>
          runtime.release(object, isKept),
    ),
    ...select(actions, 'settle').map((action) => async () => void settled.push(await cleanUp(hands, action))),
  ]
  const work = async () => {
    for (let next = works.shift(); next; next = works.shift()) await next().catch(onError)
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  const ended = await settleRuns(db, settled)
  hands.runLog?.ended(ended)
}

const select = <Name extends Action['do']>(actions: readonly Action[], name: Name) =>
  actions.filter((action): action is Of<Name> => action.do === name)

/** What the adapter said, and nobody heard, comes before what its end looks like. */
async function conclude({ db, runtime, runLog }: Hands, { run, end, isDisrupted, object, isLost }: Of<'conclude'>): Promise<void> {
  const now = new Date().toISOString()
  const words = object && (await runtime.lastWords(object))
  for (const event of words?.events ?? []) await tell(db, run, event, now)
  if (isLost) await runtime.salvage(run)
  const outcome = words?.outcome ?? end
  const follows = await concludeAttempt(db, { ...attemptKey(run), ...outcome, isDisrupted }, now)
  if (follows === 'again') runLog?.again(run, outcome.failureClass)
}

type Event = Parameters<typeof recordEvent>[1]['event']

/** Words about another run, or that came too late, count as little as over HTTP. */
async function tell(db: Pool, { evaluationId, benchmarkIndex, attempt }: UnsettledRun, event: Event, now: string): Promise<void> {
  if (event.benchmark_index !== benchmarkIndex) return
  try {
    await recordEvent(db, { evaluationId, event, attempt }, now)
  } catch (error) {
    if (!(error instanceof HubError)) throw error
  }
}

/** Logs are kept before the run is settled, and its files go only if the user took it back. */
async function cleanUp({ runtime, holder, onError }: Hands, { run, object }: Of<'settle'>): Promise<SettledRun> {
  const isTakenBack = run.isDeleted || run.state === 'cancelled'
  if (object) await runtime.release(object, !isTakenBack)
  else if (run.launch?.holder) await runtime.salvage(run)
  // Files that cannot be removed are told and left: the run is over all the same.
  if (isTakenBack) await runtime.removeFiles(run.evaluationId, run.benchmarkIndex).catch(onError)
  const launch = launchOf(run, object, holder)
  const exitCode = object?.end?.outcome.exitCode
  return { ...attemptKey(run), ...(launch && { launch }), ...(exitCode !== undefined && { exitCode }) }
}

function launchOf(run: UnsettledRun, object: LaunchedObject | undefined, holder: string): SettledRun['launch'] {
  if (object) return { holder, objectUid: object.objectUid, secondsAgo: (performance.now() - object.launchedAtMs) / 1000 }
  if (!run.launch?.holder) return undefined
  const { objectUid, secondsAgo } = run.launch
  return { holder: run.launch.holder, objectUid: objectUid ?? '', secondsAgo }
}
