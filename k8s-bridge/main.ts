import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { fileURLToPath } from 'node:url'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { connect, type Pool } from '#db/client.ts'
import { databaseComplaint } from '#db/database-complaint.ts'
import { lockHub } from '#db/hub-lock.ts'
import { openObserverLock } from '#db/observer-lock.ts'
import { noteRuntime } from '#db/commands/note-runtime.ts'
import { getHubId } from '#db/queries/hub-id.ts'
import { createLog, type Log } from '#shared/log.ts'
import { isHelpWanted, usageOf } from '#shared/usage.ts'
import { startBridge, type BridgeOptions } from './bridge.ts'
import { followCatalogue } from './catalogue-sync.ts'
import { startClock } from './clock.ts'
import { BRIDGE_SETTINGS, readBridgeConfig, type BridgeConfig } from './config.ts'
import { createGauges } from './gauges.ts'
import { notePasses, serveHealth, type Passes } from './health.ts'
import { readKubeConfig } from './kubernetes/api.ts'
import { openKubernetesRuntime } from './kubernetes/open-runtime.ts'
import { hideVariables } from './local/environment-config.ts'
import { checkFolders, namedFolders } from './local/named-folders.ts'
import { createLocalRuntime, endLeftovers } from './local/runtime.ts'
import { createOwnMetrics, type OwnMetrics } from './own-metrics.ts'
import { createRunLog } from './run-log.ts'
import type { Runtime } from './runtime.ts'
import { SHIPPED_CATALOGUE } from './shipped-catalogue.ts'
import { waitForMigration } from './wait-for-migration.ts'

/** `npm run start:bridge`: launches what the queue holds, settles what has ended, and does what is due by the clock, until SIGTERM. */

const HOME = fileURLToPath(new URL('..', import.meta.url))

/** Enough for a pass, the listener and the logs of runs; more would take what requests need. */
const CONNECTIONS = 6

const USAGE = usageOf({
  command: 'npm run start:bridge',
  about:
    'The bridge: launches runs as Jobs of a cluster or as processes of this machine, settles what has ended, and does what is due by the clock, until SIGTERM.',
  settings: BRIDGE_SETTINGS,
  docs: ['docs/operation.md', 'docs/install-kubernetes.md', 'docs/one-machine.md'],
})

type OnError = (error: unknown) => void

async function start(config: BridgeConfig, log: Log, stack: AsyncDisposableStack): Promise<void> {
  const onError: OnError = (error) => log.error('The bridge could not do something and will try again', error)
  const db = connect(config.databaseUrl, { max: CONNECTIONS })
  stack.defer(() => db.end({ timeout: 5 }))
  const passes: Passes = { startedAtMs: performance.now(), completedAtMs: {}, endedAtMs: {} }
  const registry = new Registry()
  const own = createOwnMetrics(registry)
  const kind = 'local' in config.runtime ? 'local' : 'kubernetes'
  const port = config.metrics && (await serve(config, { ...config.metrics, passes, registry, kind }, stack))
  if (!(await isMigrated(config, db, { passes, log, stack }))) return
  if ('local' in config.runtime) {
    // It knows of no processes but its own: a hub or another bridge on this database would take its runs for lost.
    const lock = await lockHub(config.databaseUrl, () =>
      fail('The database connection that keeps other hubs out was lost: start this again'),
    )
    stack.defer(() => lock.release())
  }
  const following = await followCatalogue(db, [SHIPPED_CATALOGUE, ...config.catalogues], { log })
  stack.defer(() => following.stop())

  const holder = `bridge-${randomUUID()}`
  const observerLock = openObserverLock(config.databaseUrl)
  stack.defer(() => observerLock.release())
  await noteRuntime(db, kind)
  const runtime = await runtimeOf(config, { db, holder, onError, own })
  const onPass = notePasses(passes, () => performance.now())
  const onWarning: BridgeOptions['onWarning'] = (warnings) => {
    for (const { evaluationId, benchmarkIndex, warning } of warnings) {
      log.warn(warning, { evaluation_id: evaluationId, benchmark_index: benchmarkIndex })
    }
  }
  const bridge = await startBridge({ db, runtime, holder, observerLock, onError, onWarning, onPass, runLog: createRunLog(log), ...own })
  stack.defer(() => bridge.stop())
  const clock = startClock({ db, retention: config.retention, onError })
  stack.defer(() => clock.stop())
  log.info('ready', { metrics_url: config.metrics && `http://${config.metrics.host}:${port}/metrics` })
}

type Waiting = { passes: Passes; log: Log; stack: AsyncDisposableStack }

/** Waits for it, which the log and the probes say. False: this process is being stopped. The first who asks the database anything. */
async function isMigrated(
  { databaseUrl: url, databaseSetting: setting }: BridgeConfig,
  db: Pool,
  { passes, log, stack }: Waiting,
): Promise<boolean> {
  const stopping = new AbortController()
  stack.defer(() => stopping.abort())
  const onWaiting = (why: string) => {
    passes.waitsFor = why
    log.warn(`This bridge waits: ${why}`)
  }
  const isThere = await waitForMigration(db, { onWaiting, signal: stopping.signal }).catch((cause: unknown) => {
    const complaint = databaseComplaint(cause, { url, setting })
    throw complaint === undefined ? cause : new Error(complaint, { cause })
  })
  passes.startedAtMs = performance.now()
  passes.waitsFor = undefined
  return isThere
}

type Own = { db: Pool; holder: string; onError: OnError; own: OwnMetrics }

async function runtimeOf({ runtime, catalogues }: BridgeConfig, { db, holder, onError, own: metrics }: Own): Promise<Runtime> {
  if ('local' in runtime) {
    const { dataDir, allowPaths, ...options } = runtime.local
    await checkFolders(allowPaths, 'ALLOW_PATHS (local.allow_paths)')
    const folders = namedFolders({ dataDir, catalogues, allowPaths })
    const hubId = await getHubId(db)
    await endLeftovers(hubId, onError)
    const own = { ...options, hubId, folders, db, holder, node: hostname(), baseDirectory: `${dataDir}/jobs`, home: HOME, onError }
    // The functions still listen when this process ends its adapters, and would take their last words for results: they get no time for any.
    return createLocalRuntime({ ...own, graceMs: 0 })
  }
  const { settings, ...options } = runtime.kubernetes
  const hubId = await getHubId(db)
  return openKubernetesRuntime({
    ...options,
    settings: { ...settings, hubId },
    db,
    kubeConfig: readKubeConfig(),
    onError,
    onRestart: metrics.onRestart,
  })
}

type Shown = { host: string; port: number; passes: Passes; registry: Registry; kind: 'local' | 'kubernetes' }

async function serve(config: BridgeConfig, { registry, kind, ...place }: Shown, stack: AsyncDisposableStack) {
  collectDefaultMetrics({ register: registry })
  // Of its own: a pass that is busy must not blind those who ask why.
  const db = connect(config.databaseUrl, { max: 1 })
  stack.defer(() => db.end({ timeout: 0 }))
  const refresh = createGauges({ registry, db, runtime: kind })
  const server = await serveHealth({ ...place, registry, refresh })
  stack.defer(() => server.close())
  return server.port
}

function fail(error: unknown): never {
  process.stderr.write(`evalhub bridge: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}

function stopOnSignals(stack: AsyncDisposableStack, log: Log): void {
  let isStopping = false
  const stop = (signal: 'SIGINT' | 'SIGTERM') => {
    if (isStopping) return
    isStopping = true
    log.info('stopping', { signal })
    stack.disposeAsync().then(() => process.exit(0), fail)
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
}

async function run(): Promise<void> {
  const config = readBridgeConfig()
  if ('local' in config.runtime) hideVariables(config.runtime.local.hiddenVariables)
  const log = createLog({ write: (line) => process.stdout.write(`${line}\n`), now: () => new Date(), level: config.logLevel })
  if (config.unread.length > 0) log.info('the files have settings that this process does not read', { settings: config.unread })
  const stack = new AsyncDisposableStack()
  stopOnSignals(stack, log)
  await start(config, log, stack)
}

if (isHelpWanted(process.argv)) process.stdout.write(USAGE)
else await run().catch(fail)
