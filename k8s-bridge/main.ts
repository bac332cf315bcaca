import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { connect, type Pool } from '#db/client.ts'
import { syncCatalogue } from '#db/commands/sync-catalogue.ts'
import { createLog, type Log } from '#shared/log.ts'
import { startBridge } from './bridge.ts'
import { readCatalogue } from './catalogue-sync.ts'
import { startClock } from './clock.ts'
import { readBridgeConfig, type BridgeConfig } from './config.ts'
import { createGauges } from './gauges.ts'
import { serveHealth, type Passes } from './health.ts'
import { createLocalRuntime } from './local/runtime.ts'
import type { Runtime } from './runtime.ts'
import { SHIPPED_CATALOGUE } from './shipped-catalogue.ts'

/** `npm run start:bridge`: launches what the queue holds, settles what has ended, and does what is due by the clock, until SIGTERM. */

const HOME = fileURLToPath(new URL('..', import.meta.url))

/** Enough for a pass, the listener and the logs of runs; more would take what requests need. */
const CONNECTIONS = 6

type OnError = (error: unknown) => void

async function start(config: BridgeConfig, log: Log, stack: AsyncDisposableStack): Promise<void> {
  const onError: OnError = (error) => log.error('The bridge could not do something and will try again', error)
  const catalogue = await readCatalogue([SHIPPED_CATALOGUE, ...config.catalogues])
  const db = connect(config.databaseUrl, { max: CONNECTIONS })
  stack.defer(() => db.end({ timeout: 5 }))
  await syncCatalogue(db, catalogue)

  const passes: Passes = { startedAtMs: performance.now() }
  const runtime = runtimeOf(config, db, onError)
  const bridge = await startBridge({ db, runtime, holder: `bridge-${randomUUID()}`, onError, onPass: notePasses(passes) })
  stack.defer(() => bridge.stop())
  const clock = startClock({ db, retention: config.retention, onError })
  stack.defer(() => clock.stop())
  const port = config.metrics && (await serve(config, config.metrics, passes, stack))
  log.info('ready', { metrics_url: config.metrics && `http://${config.metrics.host}:${port}/metrics` })
}

function runtimeOf({ local }: BridgeConfig, db: Pool, onError: OnError): Runtime {
  if (!local) throw new Error('This release launches runs as processes of this machine only: set RUNTIME to local')
  const { dataDir, ...options } = local
  // The functions still listen when this process ends its adapters, and would take their last words for results: they get no time for any.
  return createLocalRuntime({ ...options, db, baseDirectory: `${dataDir}/jobs`, home: HOME, graceMs: 0, onError })
}

const notePasses = (passes: Passes) => (isComplete: boolean) => {
  passes.endedAtMs = performance.now()
  if (isComplete) passes.completedAtMs = passes.endedAtMs
}

async function serve(config: BridgeConfig, place: { host: string; port: number }, passes: Passes, stack: AsyncDisposableStack) {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  // Of its own: a pass that is busy must not blind those who ask why.
  const db = connect(config.databaseUrl, { max: 1 })
  stack.defer(() => db.end({ timeout: 0 }))
  const refresh = createGauges({ registry, db, runtime: config.local ? 'local' : 'kubernetes' })
  const server = await serveHealth({ ...place, passes, registry, refresh })
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

try {
  const config = readBridgeConfig()
  const log = createLog({ write: (line) => process.stdout.write(`${line}\n`), now: () => new Date(), level: config.logLevel })
  if (config.unread.length > 0) log.info('the files have settings that this process does not read', { settings: config.unread })
  const stack = new AsyncDisposableStack()
  stopOnSignals(stack, log)
  await start(config, log, stack)
} catch (error) {
  fail(error)
}
