import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Registry, collectDefaultMetrics } from 'prom-client'
import { connect } from '#db/client.ts'
import { noteRuntime } from '#db/commands/note-runtime.ts'
import { openFairPool } from '#db/fair-pool.ts'
import { getHubId } from '#db/queries/hub-id.ts'
import { openStore, type Store } from '#db/store.ts'
import { createApp } from '#functions/app.ts'
import { findDocsFile } from '#functions/docs-files.ts'
import type { AppOptions } from '#functions/env.ts'
import { createHeldMetrics } from '#functions/held-metrics.ts'
import { createMemory } from '#functions/memory.ts'
import { MEMORY } from '#functions/open-app.ts'
import { createRequestMetrics } from '#functions/request-metrics.ts'
import { watchRequests } from '#functions/watch-requests.ts'
import { startBridge } from '#k8s-bridge/bridge.ts'
import { startClock } from '#k8s-bridge/clock.ts'
import { createGauges } from '#k8s-bridge/gauges.ts'
import { checkFolders, namedFolders } from '#k8s-bridge/local/named-folders.ts'
import { createLocalRuntime, endLeftovers } from '#k8s-bridge/local/runtime.ts'
import { DEFAULT_TEST_DATA_LIMITS, secretsFolderIn } from '#k8s-bridge/local/test-data.ts'
import { DEFAULT_RETENTION } from '#k8s-bridge/retention.ts'
import type { Log } from '#shared/log.ts'
import { RELEASE } from '#shared/release.ts'
import { shareUnderWay } from '#shared/share-under-way.ts'
import { uuidV7Source } from '#shared/uuid-v7.ts'
import { HUB_VARIABLES, type HubConfig } from './config.ts'
import { openHubDatabase } from './hub-database.ts'
import { createJobLines } from './job-lines.ts'
import { listen, type Fetch } from './listen.ts'

export type Hub = {
  /** Base of the API, without a path. */
  url: string
  /** Ends everything in good order, running adapters included: their runs go on at the next start. */
  stop(): Promise<void>
}

export type HubOptions = HubConfig & {
  log: Log
  /** Called if the hub can no longer be sure to be the only one: it must stop. */
  onLockLost: () => void
  /** Given a line for each job that started or ended. */
  say?: (line: string) => void
}

/** Where this project lies: adapters of the catalogue are started from there. */
export const HOME = fileURLToPath(new URL('..', import.meta.url))
const MAX_BODY_BYTES = 10 * 1024 * 1024

/** A little more than a request may take. */
const STATEMENT_MS = 16_000

/** For an answer to be sent, logs too: whoever reads them on a laptop may take the time. */
const SEND_LIMIT_MS = 330_000

/**
 * Starts everything in this process: database, API, bridge with the local runtime. Resolves when it answers.
 *
 * What a hub that ended in any way left unfinished goes on. If a part cannot start, those before it are stopped and the reason is thrown, in one line.
 */
export async function startHub(options: HubOptions): Promise<Hub> {
  const stack = new AsyncDisposableStack()
  try {
    return await startParts(options, stack)
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

async function startParts(options: HubOptions, stack: AsyncDisposableStack): Promise<Hub> {
  const { log } = options
  await checkFolders(options.allowPaths, '--allow-path')
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const watch = watchRequests({
    ...(options.logRequests && { log }),
    metrics: createRequestMetrics(registry, { scheme: 'http', host: options.host ?? 'localhost', port: options.port }),
    sendLimitMs: () => SEND_LIMIT_MS,
  })
  let serve: Fetch = () => new Response('EvalHub is starting: try again.\n', { status: 503, headers: { 'retry-after': '1' } })
  // Before anything is made: a port that is taken costs nobody a database.
  const listening = await listen((...request) => serve(...request), { ...options, onRequest: watch.onRequest })
  stack.defer(() => listening.close())
  const { url: databaseUrl, db } = await openHubDatabase(options, stack)
  const refreshGauges = createGauges({ registry, db, runtime: 'local' })
  const readMetrics = shareUnderWay(async () => {
    await refreshGauges()
    return { type: registry.contentType, bytes: new TextEncoder().encode(await registry.metrics()) }
  })
  const pool = openFairPool(databaseUrl, { statementMs: STATEMENT_MS })
  stack.defer(() => pool.end({ timeout: 5 }))
  const memory = createMemory(MEMORY)
  let requests = () => 0
  createHeldMetrics({ registry, memory, connections: pool.held, requests: () => requests() })
  const app = createApp({
    ...appOptions(openStore(pool), log),
    openMemory: memory.open,
    onPlaces: ({ used }) => (requests = used),
    onAnswered: watch.onAnswered,
    readMetrics,
  })
  serve = app.fetch
  // Not ::1, which an adapter's client may not know; 127.0.0.1 is always served unless another address was asked for.
  const host = options.host === '::1' ? '[::1]' : (options.host ?? '127.0.0.1')
  const callbackUrl = `http://${host}:${listening.port}`
  const bridge = await startLocalBridge(options, databaseUrl, callbackUrl, stack)

  return {
    url: `http://${options.host ? host : 'localhost'}:${listening.port}`,
    async stop() {
      // The last words of adapters that are ended here must not reach the API, which would take them for results.
      await bridge.pause()
      await listening.close()
      await bridge.stop()
      await stack.disposeAsync()
    },
  }
}

function appOptions(store: Store, log: Log): AppOptions {
  return {
    storeOf: () => store,
    identity: { mode: 'none' },
    log,
    now: () => new Date(),
    newId: uuidV7Source({ now: () => Date.now(), random: (bytes) => void crypto.getRandomValues(bytes) }),
    newRequestId: randomUUID,
    maxBodyBytes: MAX_BODY_BYTES,
    findDocsFile,
    release: RELEASE,
  }
}

async function startLocalBridge(options: HubOptions, databaseUrl: string, callbackUrl: string, stack: AsyncDisposableStack) {
  // A pool of its own, so that a wave of requests cannot keep it from claiming and ending runs.
  const db = connect(databaseUrl, { max: 3 })
  stack.defer(() => db.end({ timeout: 5 }))
  const { dataDir, maxParallel, allowProviderCommands, huggingFaceEndpoint, log } = options
  const onError = (error: unknown) => log.error('The bridge could not do something and will try again', error)
  const holder = `local-${randomUUID()}`
  await noteRuntime(db, 'local')
  const hubId = await getHubId(db)
  await endLeftovers(hubId, onError)
  const runtime = createLocalRuntime({
    db,
    holder,
    hubId,
    baseDirectory: `${dataDir}/jobs`,
    callbackUrl,
    folders: namedFolders(options),
    home: HOME,
    node: hostname(),
    maxParallel,
    allowProviderCommands,
    testData: {
      limits: { ...DEFAULT_TEST_DATA_LIMITS, ranges: options.testDataRanges ?? [] },
      huggingFaceEndpoint,
      secretsFolder: secretsFolderIn(dataDir),
    },
    environment: options.environment,
    hiddenVariables: HUB_VARIABLES,
    onError,
  })
  const lines = options.say && createJobLines({ db, say: options.say, now: () => new Date(), onError })
  if (lines) stack.defer(() => lines.finish())
  const bridge = await startBridge({ db, runtime, holder, onError, ...(lines && { runLog: lines.runLog }) })
  const clock = startClock({ db, retention: DEFAULT_RETENTION, onError })
  stack.defer(() => clock.stop())
  return bridge
}
