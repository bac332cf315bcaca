import { randomUUID } from 'node:crypto'
import { Hono } from 'hono'
import { Registry, collectDefaultMetrics } from 'prom-client'
import { connect } from '#db/client.ts'
import { checkMigrated } from '#db/queries/readiness.ts'
import { openStore } from '#db/store.ts'
import { createLog, type Log } from '#shared/log.ts'
import { uuidV7Source } from '#shared/uuid-v7.ts'
import { createApp } from './app.ts'
import { readFunctionsConfig, type FunctionsConfig } from './config.ts'
import { findDocsFile } from './docs-files.ts'
import { openHttpServer } from './http-server.ts'
import { createRequestMetrics } from './request-metrics.ts'
import { followTls, readTls } from './tls.ts'
import { watchRequests } from './watch-requests.ts'
import { writeLines } from './write-lines.ts'

/** `npm run start:functions`: the API alone, on Node, until SIGTERM. */

type Parts = { config: FunctionsConfig; log: Log; registry: Registry; stack: AsyncDisposableStack }

/** For what the readiness check or the pool still waits for when all requests have ended. */
const END_LIMIT_SECONDS = 5

/** Time for an answer that is ready to be sent, beyond the time for it to be ready. */
const SEND_MS = 5000
const LOG_SEND_MS = 30_000

async function start({ config, log, registry, stack }: Parts): Promise<void> {
  // What is put here first ends last: requests are finished before their pool is closed.
  const db = connect(config.databaseUrl, config.maxConnections === undefined ? {} : { max: config.maxConnections })
  stack.defer(() => db.end({ timeout: END_LIMIT_SECONDS }))
  // Requests that wait for a database that is slow must not make it look away.
  const probe = connect(config.databaseUrl, { max: 1 })
  stack.defer(() => probe.end({ timeout: 0 }))

  const scheme = config.tls ? 'https' : 'http'
  const watch = watchRequests({
    log,
    logProbes: config.logLevel === 'debug',
    ...(config.metrics && { metrics: createRequestMetrics(registry, { scheme, host: config.host, port: config.port }) }),
    sendLimitMs: (path) => (path.endsWith('/logs') ? config.logStreamTimeoutMs + LOG_SEND_MS : config.writeTimeoutMs + SEND_MS),
  })
  const store = openStore(db)
  const app = createApp({
    storeOf: () => store,
    identity: config.identity,
    log,
    now: () => new Date(),
    newId: uuidV7Source({ now: () => Date.now(), random: (bytes) => void crypto.getRandomValues(bytes) }),
    newRequestId: randomUUID,
    maxBodyBytes: config.maxBodyBytes,
    maxLogBytes: config.maxLogBytes,
    maxConcurrentRequests: config.maxConcurrentRequests,
    memory: { bytes: config.requestMemoryBytes },
    answerLimitMs: config.writeTimeoutMs,
    checkReady: shared(() => checkMigrated(probe)),
    onAnswered: watch.onAnswered,
    upstreams: config.upstreams,
    findDocsFile,
  })
  const { host, port, tls } = config
  const server = await openHttpServer(app.fetch, { host, port, limits: config, portName: 'PORT', ...(tls && { tls: readTls(tls) }) })
  stack.defer(() => server.close(config.shutdownTimeoutMs))
  if (tls) stack.defer(followTls(server.server, tls, log))
  watch.watch(server.server)
  const metricsUrl = config.metrics && (await serveMetrics(registry, config.metrics, stack))
  log.info('ready', { url: `${scheme}://${config.host}:${server.port}`, metrics_url: metricsUrl })
}

/** On a port of its own, which need not be reached by those who may ask the API. */
async function serveMetrics(registry: Registry, place: { host: string; port: number }, stack: AsyncDisposableStack): Promise<string> {
  collectDefaultMetrics({ register: registry })
  const app = new Hono().all('/metrics', async () => {
    const headers = { 'Content-Type': registry.contentType, 'X-Global-Transaction-Id': randomUUID() }
    return new Response(await registry.metrics(), { headers })
  })
  const server = await openHttpServer(app.fetch, { ...place, portName: 'METRICS_PORT' })
  stack.defer(() => server.close(0))
  return `http://${place.host}:${server.port}/metrics`
}

/** `work`, but calls while one is under way share its outcome: the check is open to anybody, and must not queue. */
function shared(work: () => Promise<void>): () => Promise<void> {
  let underWay: Promise<void> | undefined
  return () =>
    (underWay ??= work().finally(() => {
      underWay = undefined
    }))
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

try {
  const config = readFunctionsConfig()
  const log = createLog({ write: writeLines(process.stdout), now: () => new Date(), level: config.logLevel })
  if (config.unread.length > 0) log.info('the files have settings that this process does not read', { settings: config.unread })
  const stack = new AsyncDisposableStack()
  stopOnSignals(stack, log)
  await start({ config, log, registry: new Registry(), stack })
} catch (error) {
  fail(error)
}
