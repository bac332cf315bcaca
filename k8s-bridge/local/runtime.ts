import type { FileHandle } from 'node:fs/promises'
import type { Pool } from '#db/client.ts'
import { appendLog } from '#db/commands/append-log.ts'
import type { Claim } from '#db/commands/claim-launches.ts'
import { clearLog } from '#db/commands/clear-log.ts'
import { recordEvent } from '#db/commands/record-event.ts'
import { findLogPosition } from '#db/queries/log-position.ts'
import type { UnsettledRun } from '#db/queries/unsettled-runs.ts'
import type { AllowedPaths } from '#shared/domain/allowed-paths.ts'
import type { AttemptKey } from '#shared/domain/attempt-key.ts'
import { headBytesOf } from '../log-bounds.ts'
import type { LaunchedObject, RunEnd, Runtime } from '../runtime.ts'
import { makeRunDirectory, openLog, placeBelow, removeFiles, removeFromRun } from './directory.ts'
import { environmentOf, jobSpecText, refusalOf, unusedHere } from './launch.ts'
import { openTail, type Tail } from './logs.ts'
import { lackOfKey, readModelSecrets } from './model-secrets.ts'
import { realFolders, secretFolder } from './named-folders.ts'
import { fetchOutcomeOf, outcomeOf } from './outcome.ts'
import { groupExists, startProcess, type GroupProcess } from './process.ts'
import { createFamily } from './run-processes.ts'
import { startStages, type Stages } from './stages.ts'
import { fetchedCommit, fetchingOf, TEST_DATA, testDataSecret, type LocalTestData } from './test-data.ts'

export type LocalRuntimeOptions = {
  db: Pool
  /** Name of this bridge. */
  holder: string
  /** Of this hub, whose bridges come and go. */
  hubId: string
  /** Directory of the runs' files; made when needed. */
  baseDirectory: string
  /** Base to which adapters post their events, without a path. */
  callbackUrl: string
  /** The hub's own environment, which adapters inherit, less the names in `hiddenVariables`: those that the hub's configuration reads. */
  environment: Readonly<Record<string, string | undefined>>
  hiddenVariables: readonly string[]
  /** Folders of this machine in which jobs may name files. */
  folders: AllowedPaths
  testData: LocalTestData
  /** Where EvalHub is installed. */
  home: string
  /** Name of this machine. */
  node: string
  /** Runs at once. */
  maxParallel: number
  /** True: commands of providers that came over the API run too. */
  allowProviderCommands: boolean
  /** Told of logs that could not be kept; they are kept later. */
  onError: (error: unknown) => void
  /** Bytes kept of a run's log; 50 MiB unless told. */
  logLimitBytes?: number
  /** Time between SIGTERM and SIGKILL; 3000 unless told. */
  graceMs?: number
}

/** A process from its start until its run is settled. */
type Live = {
  key: AttemptKey
  segments: readonly string[]
  process: GroupProcess & Partial<Pick<Stages, 'isFirst'>>
  launchedAtMs: number
  log: FileHandle
  tail: Tail
  end?: LaunchedObject['end']
}

const shipIntervalMs = 300
/** What an adapter writes in that time a log takes of the disk beyond its limit. */
const cutIntervalMs = 100
const container = 'local'
/** How long the report of an adapter that ended well may be on its way. */
const reportGraceMs = 5000

/**
 * Runs are processes of this machine, in groups of their own, which end with the hub.
 *
 * What it launched is known to this process only: a bridge that starts finds nothing of an earlier one.
 */
export function createLocalRuntime(options: LocalRuntimeOptions): Runtime {
  const { baseDirectory, maxParallel, allowProviderCommands, onError, graceMs = 3000 } = options
  const live = new Map<string, Live>()
  const startedAtMs = performance.now()
  let onChange = () => {}

  const stopShipping = shipLogs(live, onError)

  const watchEnd = async (entry: Live, benchmarkId: string) => {
    const exit = await entry.process.ended
    const output = await entry.tail.lastOutput().catch(String)
    const outcome = entry.process.isFirst?.() ? fetchOutcomeOf(exit, output) : outcomeOf(exit, output, benchmarkId)
    entry.end = { atMs: performance.now(), outcome, isDisrupted: false, reportGraceMs: exit.code === 0 ? reportGraceMs : 0 }
    onChange()
  }

  const launch = createLaunch(options, live, watchEnd)
  const find = ({ attempt, ...run }: AttemptKey) => {
    const entry = live.get(keyOf(run))
    return entry?.key.attempt === attempt ? entry : undefined
  }

  return {
    triesMax: 8,
    leaveMs: 10_000,
    deadlineSlackMs: 0,
    watch: (listener) => {
      onChange = listener
    },
    unwatch: () => {
      onChange = () => {}
    },
    freeSlots: () => maxParallel - [...live.values()].filter((entry) => !entry.end).length,
    refusal: (spec) => refusalOf(spec, allowProviderCommands),
    launch,
    observe: () => [...live.values()].map((entry) => shownAs(entry, options.node)),
    // Launched and recorded since the picture was taken in which it is missing.
    absence: (run) => (find(run) ? 'unknown' : absenceOf(run, options.holder, performance.now() - startedAtMs)),
    mark: () => Promise.resolve(),
    async lastWords(object) {
      await find(object)?.tail.finish()
      return { events: [], outcome: object.end.outcome }
    },
    end: (attempt) => find(attempt)?.process.end(graceMs),
    async release(attempt, isKept) {
      const entry = find(attempt)
      if (!entry) return
      // The log of a run that is gone has no place any more.
      await entry.tail.finish().catch(isKept ? rethrow : onError)
      live.delete(keyOf(attempt))
      await entry.log.close()
      if (isKept) await removeFromRun(baseDirectory, entry.segments, TEST_DATA).catch(onError)
      // Launched while its run was taken back: the files came after those of the run were removed.
      if (!isKept) await removeFiles(baseDirectory, attempt.evaluationId, String(attempt.benchmarkIndex))
    },
    salvage: (run) => salvage(options, run),
    removeFiles: (evaluationId, index) => removeFiles(baseDirectory, evaluationId, index?.toString()),
    async close() {
      await endAll([...live.values()], options)
      stopShipping()
      live.clear()
    },
  }
}

function launched(entry: Live, claim: Claim) {
  const warning = unusedHere(claim)
  return { objectUid: uidOf(entry), ...(warning !== undefined && { warning }) }
}

type Launching = { attempt: number; outcome: ReturnType<Runtime['launch']> }

/** Launches a claim once, however often it is asked to: a lease may run out while a busy machine starts a process, and then it is asked again. */
function createLaunch(
  options: LocalRuntimeOptions,
  live: Map<string, Live>,
  watchEnd: (entry: Live, benchmarkId: string) => Promise<void>,
): (claim: Claim) => ReturnType<Runtime['launch']> {
  const launching = new Map<string, Launching>()
  const launch = async (claim: Claim) => {
    const started = await startAdapter(options, claim)
    if ('refused' in started) return started
    live.set(keyOf(claim), started)
    void watchEnd(started, claim.spec.benchmark_id)
    return launched(started, claim)
  }
  return async (claim) => {
    const key = keyOf(claim)
    const present = live.get(key)
    // Launched before, and not recorded: the row's lease had run out.
    if (present?.key.attempt === claim.attempt && !present.end) return launched(present, claim)
    const underWay = launching.get(key)
    if (underWay?.attempt === claim.attempt) return underWay.outcome
    if (present || underWay) throw new Error('an earlier attempt of the run is still ending')
    const outcome = launch(claim).finally(() => launching.delete(key))
    launching.set(key, { attempt: claim.attempt, outcome })
    return outcome
  }
}

/** Keeps the logs of all that lives, and keeps them small, until it is told to stop. */
function shipLogs(live: ReadonlyMap<string, Live>, onError: (error: unknown) => void): () => void {
  const forEach = (act: (tail: Tail) => Promise<void>) => () => {
    for (const { tail } of live.values()) act(tail).catch(onError)
  }
  const shipping = setInterval(
    forEach((tail) => tail.ship()),
    shipIntervalMs,
  )
  const cutting = setInterval(
    forEach((tail) => tail.cut()),
    cutIntervalMs,
  )
  return () => {
    clearInterval(shipping)
    clearInterval(cutting)
  }
}

function shownAs(entry: Live, node: string): LaunchedObject {
  const { key, launchedAtMs, end } = entry
  const started = { atMs: launchedAtMs, node, resources: {} }
  return { ...key, objectUid: uidOf(entry), launchedAtMs, started, ...(end && { end }) }
}

async function endAll(entries: readonly Live[], { graceMs = 3000, onError }: LocalRuntimeOptions): Promise<void> {
  for (const entry of entries) entry.process.end(graceMs)
  await Promise.all(entries.map((entry) => entry.process.ended))
  await Promise.all(entries.map((entry) => entry.tail.finish().catch(onError)))
  await Promise.all(entries.map((entry) => entry.log.close()))
}

/** How long a new bridge waits for what an earlier one left behind; that ends by itself at once, unless the uid means another thing by now. */
const leftoverMs = 5_000

const HUB_RESTARTED: RunEnd = {
  failureClass: 'hub_restarted',
  message: 'EvalHub was stopped while this attempt ran. It has started the benchmark again.',
}

/** What it means that this process knows nothing of a launched attempt: an earlier hub launched it, and it ended with that hub. */
function absenceOf({ launch }: UnsettledRun, holder: string, aliveMs: number): RunEnd | 'unknown' {
  // Launched by another bridge after this one started: that one is alive, and the run is its own.
  const isElsewhere = launch !== null && launch.holder !== holder && launch.secondsAgo * 1000 < aliveMs
  const uid = launch?.objectUid ?? ''
  const isLeaving = uid.startsWith(uidPrefix) && groupExists(Number(uid.slice(uidPrefix.length))) && aliveMs < leftoverMs
  return isElsewhere || isLeaving ? 'unknown' : HUB_RESTARTED
}

const rethrow = (error: unknown) => {
  throw error
}

const uidPrefix = 'pid:'
const uidOf = ({ process: { pid } }: Pick<Live, 'process'>) => `${uidPrefix}${pid}`

/** What the processes of an attempt have in their environment. */
const markOf = (hubId: string, { evaluationId, benchmarkIndex, attempt }: AttemptKey) =>
  `${hubId}/${evaluationId}/${benchmarkIndex}/${attempt}`

/**
 * Ends what an earlier bridge of this hub left on this machine: most ends with it, but for what left its process group. To be called by
 * the only one that runs processes for this hub, before it launches any.
 */
export async function endLeftovers(hubId: string, onError: (error: unknown) => void): Promise<void> {
  const left = await createFamily((mark) => mark.startsWith(`${hubId}/`)).kill()
  if (left > 0) onError(new Error(`${left} processes of runs that an earlier hub launched do not end`))
}

/** One process a run, whatever its attempt. */
const keyOf = ({ evaluationId, benchmarkIndex }: Omit<AttemptKey, 'attempt'>) => `${evaluationId}/${benchmarkIndex}`

async function startAdapter(options: LocalRuntimeOptions, claim: Claim): Promise<Live | { refused: RunEnd }> {
  const { evaluationId, benchmarkIndex, attempt, spec, request } = claim
  const segments = placeBelow({ evaluationId, benchmarkIndex, providerId: spec.provider_id, benchmarkId: spec.benchmark_id })
  if (!segments) return { refused: UNSAFE_ID }
  const { callbackUrl, environment: inherited, hiddenVariables, home, testData } = options
  const allowed = await realFolders(options.folders)
  const secret = await secretFolder(request.model.auth?.secret_ref, allowed)
  if ('refused' in secret) return secret
  const lack = secret.folder === undefined ? undefined : await lackOfKey(secret.folder)
  if (lack) return { refused: lack }
  const dataSecret = await testDataSecret(spec, { testData, allowed })
  if ('refused' in dataSecret) return dataSecret
  const { jobSpecPath, output, log } = await makeRunDirectory(options.baseDirectory, segments, jobSpecText(claim, callbackUrl))
  try {
    const around = { inherited, hiddenVariables, jobSpecPath, home, node: process.execPath }
    const key = { evaluationId, benchmarkIndex, attempt }
    await clearLog(options.db, key)
    const tail = await tailOf(options, { key, file: log, isOver: false, secretsFolder: secret.folder })
    const common = { output: output.fd, mark: markOf(options.hubId, key), onError: options.onError }
    const adapter = { command: spec.runtime.local?.command ?? '', environment: environmentOf({ ...around, allowed, spec }), ...common }
    const fetching = fetchingOf(spec, dataSecret.folder, { ...around, callbackUrl, testData })
    // Whether or not it can be told, the data are there.
    const noteFetched = () => noteCommit(options.db, claim, jobSpecPath).catch(options.onError)
    const started = fetching ? await startStages({ ...fetching, ...common }, noteFetched, adapter) : await startProcess(adapter)
    // The second of two is given it later.
    if (fetching) void started.ended.then(() => output.close()).catch(options.onError)
    else await output.close()
    return { key, segments, process: started, launchedAtMs: performance.now(), log, tail }
  } catch (error) {
    await Promise.all([log.close(), output.close()])
    throw error
  }
}

/** What a sidecar says on a cluster with the first event of the adapter. */
async function noteCommit(db: Pool, { evaluationId, benchmarkIndex, attempt, spec }: Claim, jobSpecPath: string): Promise<void> {
  const commit = await fetchedCommit(jobSpecPath)
  if (commit === undefined) return
  const { provider_id, benchmark_id: id } = spec
  const event = { provider_id, id, benchmark_index: benchmarkIndex, status: 'running' as const, job_meta: { resolved_sha: commit } }
  await recordEvent(db, { evaluationId, event, attempt }, new Date().toISOString())
}

const UNSAFE_ID: RunEnd = {
  failureClass: 'invalid_id',
  message:
    'The ids of the provider and the benchmark cannot name a directory: a part is empty, ".", "..", too long, or has a NUL character.',
}

type LoggedRun = { key: AttemptKey; file: FileHandle; isOver: boolean; secretsFolder: string | undefined }

async function tailOf(
  { db, logLimitBytes = 50 * 1024 * 1024 }: LocalRuntimeOptions,
  { key: { evaluationId, benchmarkIndex, attempt }, file, isOver, secretsFolder }: LoggedRun,
): Promise<Tail> {
  const key = { evaluationId, benchmarkIndex, attempt }
  const [position, secrets] = await Promise.all([
    findLogPosition(db, key, container, headBytesOf(logLimitBytes)),
    readModelSecrets(secretsFolder),
  ])
  return openTail({
    file,
    isOver,
    position,
    secrets,
    limitBytes: logLimitBytes,
    append: (piece) => appendLog(db, { ...key, container, ...piece }),
  })
}

async function salvage(options: LocalRuntimeOptions, run: UnsettledRun): Promise<void> {
  const segments = placeBelow(run)
  if (!segments) return
  await removeFromRun(options.baseDirectory, segments, TEST_DATA).catch(options.onError)
  const file = await openLog(options.baseDirectory, segments)
  if (!file) return
  try {
    const secret = await secretFolder(run.secretRef, await realFolders(options.folders))
    const tail = await tailOf(options, { key: run, file, isOver: true, secretsFolder: 'refused' in secret ? undefined : secret.folder })
    await tail.finish()
  } finally {
    await file.close()
  }
}
