import { randomUUID } from 'node:crypto'
import type { Hono } from 'hono'
import { Registry, collectDefaultMetrics } from 'prom-client'
import { connect } from '#db/client.ts'
import { databaseComplaint } from '#db/database-complaint.ts'
import { openFairPool } from '#db/fair-pool.ts'
import { checkMigrated, checkServed } from '#db/queries/readiness.ts'
import { openStore } from '#db/store.ts'
import { createLog, type Log } from '#shared/log.ts'
import { RELEASE } from '#shared/release.ts'
import { shareUnderWay } from '#shared/share-under-way.ts'
import { isHelpWanted, usageOf } from '#shared/usage.ts'
import { uuidV7Source } from '#shared/uuid-v7.ts'
import { createApp } from './app.ts'
import { FUNCTIONS_SETTINGS, readFunctionsConfig, type FunctionsConfig } from './config.ts'
import { findDocsFile } from './docs-files.ts'
import type { AppEnv, AppOptions } from './env.ts'
import { createEventsApp } from './events-app.ts'
import { createHealthApp } from './health-app.ts'
import { createHeldMetrics } from './held-metrics.ts'
import { openHttpServer, type ConnectionLimits } from './http-server.ts'
import { createMemory } from './memory.ts'
import { MEMORY } from './open-app.ts'
import { createRequestMetrics } from './request-metrics.ts'
import { followTls, readTls, type TlsFiles } from './tls.ts'
import { watchRequests, type RequestWatch } from './watch-requests.ts'
import { writeLines } from './write-lines.ts'

/** `npm run start:functions`: the API alone, on Node, until SIGTERM. */

const USAGE = usageOf({
  command: 'npm run start:functions',
  about:
    'The API alone, until SIGTERM. It needs a PostgreSQL that was migrated (npm run migrate) and a bridge (npm run start:bridge) on it, which launches what is submitted.',
  settings: FUNCTIONS_SETTINGS,
  docs: ['docs/operation.md', 'docs/identity.md', 'docs/install-kubernetes.md'],
})

type Parts = { config: FunctionsConfig; log: Log; registry: Registry; stack: AsyncDisposableStack }

/** For what the readiness check or the pool still waits for when all requests have ended. */
const END_LIMIT_SECONDS = 5

/** For statements of answers that have begun: until then they are cancelled when their time is over. */
const STATEMENT_MS = 1000

/** Time for an answer that is ready to be sent, beyond the time for it to be ready. */
const SEND_MS = 5000
const LOG_SEND_MS = 30_000

async function start({ config, log, registry, stack }: Parts): Promise<void> {
  // What is put here first ends last: requests are finished before their pool is closed.
  const pool = openFairPool(config.databaseUrl, {
    ...(config.maxConnections !== undefined && { max: config.maxConnections }),
    statementMs: config.writeTimeoutMs + STATEMENT_MS,
    onRefused: (limits) =>
      log.warn('The database takes some limits with no connection: docs/operation.md says where to set them', { limits }),
  })
  stack.defer(() => pool.end({ timeout: END_LIMIT_SECONDS }))
  // Requests that wait for a database that is slow must not make it look away.
  const probe = connect(config.databaseUrl, { max: 1 })
  stack.defer(() => probe.end({ timeout: 0 }))

  const scheme = config.tls ? 'https' : 'http'
  const watch = watchRequests({
    log,
    logProbes: config.logLevel === 'debug',
    ...(config.showsMetrics && { metrics: createRequestMetrics(registry, { scheme, host: config.host, port: config.port }) }),
    sendLimitMs: (route) => (route?.endsWith('/logs') ? config.logStreamTimeoutMs + LOG_SEND_MS : config.writeTimeoutMs + SEND_MS),
  })
  const store = openStore(pool, config.quotas)
  const memory = createMemory({ ...MEMORY, bytes: config.requestMemoryBytes })
  const allPlaces: { used: () => number }[] = []
  const requests = () => allPlaces.reduce((sum, places) => sum + places.used(), 0)
  if (config.showsMetrics) createHeldMetrics({ registry, memory, connections: pool.held, requests })
  const options: AppOptions = {
    storeOf: () => store,
    identity: config.identity,
    log,
    now: () => new Date(),
    newId: uuidV7Source({ now: () => Date.now(), random: (bytes) => void crypto.getRandomValues(bytes) }),
    newRequestId: randomUUID,
    maxBodyBytes: config.maxBodyBytes,
    maxLogBytes: config.maxLogBytes,
    maxConcurrentRequests: config.maxConcurrentRequests,
    openMemory: memory.open,
    onPlaces: (places) => void allPlaces.push(places),
    answerLimitMs: config.writeTimeoutMs,
    checkReady: shareUnderWay(() => checkMigrated(probe).then(() => checkServed(pool))),
    onAnswered: watch.onAnswered,
    upstreams: config.upstreams,
    findDocsFile,
    release: RELEASE,
  }
  const urls = await listen({ config, log, registry, stack }, options, watch)
  log.info('ready', urls)
  // Requests will say so too, as long as it is so.
  await checkMigrated(probe).catch((error: unknown) => {
    const complaint = databaseComplaint(error, { url: config.databaseUrl, setting: 'DATABASE_URL' })
    log.warn(error instanceof Error && complaint === undefined ? error.message : `${complaint}. Requests are refused until that is mended`)
  })
}

/** Opens all ports. They are closed together but for that of the probes, which ends last. */
async function listen({ config, log, registry, stack }: Parts, options: AppOptions, watch: RequestWatch) {
  const { events, proxyCaFile, tls: files } = config
  const limits = limitsOf(config)
  const open = async (app: Hono<AppEnv>, place: Place, tls: TlsFiles | undefined) => {
    const server = await openHttpServer(app.fetch, { ...place, onRequest: watch.onRequest, ...(tls && { tls: readTls(tls) }) })
    if (tls) stack.defer(followTls(server.server, tls, log))
    return { ...server, url: `${tls ? 'https' : 'http'}://${place.host}:${server.port}` }
  }
  const proxied = files && { ...files, ...(proxyCaFile !== undefined && { clientCaFile: proxyCaFile }) }
  const api = await open(createApp(options), { host: config.host, port: config.port, limits, portName: 'PORT' }, proxied)
  const reports =
    events && (await open(createEventsApp(options), { ...events, limits: forMachines(limits), portName: 'EVENTS_PORT' }, files))
  const health = await serveHealth(config, options, registry)
  stack.defer(async () => {
    await Promise.all([api, reports].map((server) => server?.close(config.shutdownTimeoutMs)))
    await health.close(0)
  })
  const healthUrl = `http://${config.health.host}:${health.port}`
  return {
    url: api.url,
    events_url: reports?.url,
    health_url: healthUrl,
    metrics_url: config.showsMetrics ? `${healthUrl}/metrics` : undefined,
  }
}

type Place = { host: string; port: number; limits: ConnectionLimits; portName: string }

/** Connections beyond those of requests at work, for those that are kept without one and those that are refused. */
const SPARE_CONNECTIONS = 1000

const limitsOf = (config: FunctionsConfig): ConnectionLimits => ({
  ...config,
  maxClientConnections: config.maxConcurrentRequests + SPARE_CONNECTIONS,
})

/** For headers of machines, with a token: what each stranger may take before anybody knows who it is. */
const SHORT_HEADER_BYTES = 16 * 1024

const forMachines = (limits: ConnectionLimits) => ({ ...limits, maxHeaderBytes: Math.min(limits.maxHeaderBytes, SHORT_HEADER_BYTES) })

/** On a port of its own, which need not be reached by those who may ask the API. */
async function serveHealth(config: FunctionsConfig, { onAnswered: _, ...options }: AppOptions, registry: Registry) {
  const { health, showsMetrics } = config
  if (showsMetrics) collectDefaultMetrics({ register: registry })
  const readMetrics = shareUnderWay(async () => ({
    type: registry.contentType,
    bytes: new TextEncoder().encode(await registry.metrics()),
  }))
  const app = createHealthApp({ ...options, ...(showsMetrics && { readMetrics }) })
  // They are neither logged nor counted; who does not read is cut off all the same.
  const { onRequest } = watchRequests({ sendLimitMs: () => config.writeTimeoutMs + SEND_MS })
  return openHttpServer(app.fetch, { ...health, limits: forMachines(limitsOf(config)), onRequest, portName: 'METRICS_PORT' })
}

function fail(error: unknown): never {
  process.stderr.write(`evalhub functions: ${error instanceof Error ? error.message : String(error)}\n`)
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
  const config = readFunctionsConfig()
  const log = createLog({ write: writeLines(process.stdout), now: () => new Date(), level: config.logLevel })
  if (config.unread.length > 0) log.info('the files have settings that this process does not read', { settings: config.unread })
  const stack = new AsyncDisposableStack()
  stopOnSignals(stack, log)
  await start({ config, log, registry: new Registry(), stack })
}

if (isHelpWanted(process.argv)) process.stdout.write(USAGE)
else await run().catch(fail)
