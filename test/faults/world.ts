import { execFile } from 'node:child_process'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { connect, type Pool } from '#db/client.ts'
import { connectKubernetes, readKubeConfig, type KubernetesApi } from '#k8s-bridge/kubernetes/api.ts'
import { streamFrom } from '#k8s-bridge/kubernetes/api-stream.ts'
import { startApiProxy, type TestApiProxy } from '#k8s-bridge/kubernetes/test-api-proxy.ts'
import { startPostgres, type Postgres } from '#local/postgres.ts'
import { startControlPlane, type ControlPlane } from '../control-plane.ts'
import { runEntry, startEntry, type EntryProcess } from '../entry-process.ts'
import { forwardPort } from '../port-forward.ts'
import { makeFolder, removeFolder } from '../temporary-folder.ts'
import { recordJobs, type JobRecord } from './job-record.ts'
import { playCluster, type PlayedCluster } from './played-cluster.ts'

/** All of EvalHub but its pods, as processes of their own: functions, bridges, PostgreSQL and an API server, with a bad proxy before the last. */
export type World = {
  db: Pool
  api: KubernetesApi
  /** Between the bridges and the API server. Those that judge go round it. */
  proxy: TestApiProxy
  cluster: ControlPlane
  record: JobRecord
  played: PlayedCluster
  tenants: readonly string[]
  functionsUrl: string
  bridges: EntryProcess[]
  /** Processes that ended though nobody had ended them, with what they said. */
  deaths: string[]
  startBridge(env?: Record<string, string>): Promise<EntryProcess>
  /** `kill -9`. */
  killBridge(bridge: EntryProcess): Promise<void>
  restartDatabase(awayMs: number): Promise<void>
  stop(): Promise<void>
}

const KEY = 'the key of run tokens in these tests'
const CATALOGUE = fileURLToPath(new URL('catalogue', import.meta.url))
const TENANTS = ['team-red', 'team-blue', 'team-green']

/** Longest time that an adapter works, after it has begun. */
const workMsMax = 1500

export async function startWorld(binaries: string): Promise<World> {
  const stack = new AsyncDisposableStack()
  try {
    return await build(binaries, stack)
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

async function build(binaries: string, stack: AsyncDisposableStack): Promise<World> {
  const folder = await makeFolder()
  stack.defer(() => removeFolder(folder))
  const programs = await buildPrograms(folder)
  const database = await startDatabase(folder, stack)
  const db = connect(database.url, { max: 3 })
  stack.defer(() => db.end({ timeout: 1 }))
  const environment = { DATABASE_URL: database.url, CATALOGUE_DIRS: CATALOGUE, RUN_TOKEN_KEY: KEY }
  const migrated = await runEntry(join(programs, 'migrate.mjs'), environment)
  if (migrated.code !== 0) throw new Error(`The migration failed: ${migrated.stderr}`)

  const cluster = await startControlPlane(binaries)
  stack.defer(() => cluster.stop())
  const config = readKubeConfig(cluster.kubeconfig)
  const server = config.getCurrentCluster()?.server ?? ''
  const proxy = await startApiProxy(server, cluster.certificate)
  stack.defer(() => proxy.close())
  const throughProxy = join(folder, 'kubeconfig')
  await writeFile(throughProxy, (await readFile(cluster.kubeconfig, 'utf8')).replace(server, proxy.url), { mode: 0o600 })
  const api = connectKubernetes(config)
  await Promise.all(TENANTS.map((name) => makeNamespace(api, name)))

  const functions = await startEntry(join(programs, 'functions.mjs'), {
    ...environment,
    IDENTITY_MODE: 'headers',
    // The soak submits as fast as it can.
    QUOTA_JOBS_PER_MINUTE: '-1',
    QUOTA_OPEN_RUNS: '-1',
  })
  stack.defer(async () => void (await functions.stop()))
  const deaths: string[] = []
  let isStopping = false
  stack.defer(() => void (isStopping = true))
  const noteDeath = async () => {
    const { code, stderr } = await functions.ended
    if (!isStopping) deaths.push(`the functions ended by themselves with ${code}: ${stderr}`)
  }
  void noteDeath()
  const functionsUrl = String(functions.ready.url)
  const eventsUrl = String(functions.ready.events_url)
  const played = playCluster({ api, eventsUrl, workMsMax })
  stack.defer(() => played.stop())
  const record = recordJobs(streamFrom(config), played.onChange)
  stack.defer(() => record.stop())
  const bridgeEnvironment = {
    ...environment,
    RUNTIME: 'kubernetes',
    KUBECONFIG: throughProxy,
    EVALHUB_IMAGE: 'localhost/evalhub:1',
    FUNCTIONS_URL: eventsUrl,
  }
  const bridges = createBridges(join(programs, 'bridge.mjs'), bridgeEnvironment, { stack, deaths })
  return {
    db,
    api,
    proxy,
    cluster,
    record,
    played,
    functionsUrl,
    tenants: TENANTS,
    deaths,
    ...bridges,
    restartDatabase: database.restart,
    stop: () => stack.disposeAsync(),
  }
}

/** Of what production runs. */
async function buildPrograms(folder: string): Promise<string> {
  const directory = join(folder, 'dist')
  await promisify(execFile)(process.execPath, [fileURLToPath(new URL('../../local/build.ts', import.meta.url)), directory])
  return join(directory, 'app')
}

/** At one address, whatever happens to the server. */
async function startDatabase(folder: string, stack: AsyncDisposableStack) {
  await chmod(folder, 0o711)
  const settings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '100' }
  const start = () => startPostgres({ dataDir: join(folder, 'data'), log: () => undefined, settings })
  const portOf = ({ url }: Postgres) => Number(new URL(url).port)
  let server = await start()
  stack.defer(() => server.stop())
  const forward = await forwardPort(portOf(server))
  stack.defer(() => forward.close())
  const url = new URL(server.url)
  url.port = String(forward.port)
  const restart = async (awayMs: number) => {
    await forward.close()
    await server.stop()
    await new Promise((resolve) => setTimeout(resolve, awayMs))
    server = await start()
    await forward.open(portOf(server))
  }
  return { url: url.href, restart }
}

function createBridges(
  program: string,
  environment: Record<string, string>,
  { stack, deaths }: { stack: AsyncDisposableStack; deaths: string[] },
) {
  const bridges: EntryProcess[] = []
  const killBridge = async (bridge: EntryProcess) => {
    bridges.splice(bridges.indexOf(bridge), 1)
    bridge.child.kill('SIGKILL')
    await bridge.ended
  }
  stack.defer(async () => void (await Promise.all([...bridges].map(killBridge))))
  const noteDeath = async (bridge: EntryProcess) => {
    const { code, stderr } = await bridge.ended
    if (bridges.includes(bridge)) deaths.push(`a bridge ended by itself with ${code}: ${stderr}`)
  }
  const startBridge = async (more: Record<string, string> = {}) => {
    const bridge = await startEntry(program, { ...environment, ...more })
    bridges.push(bridge)
    void noteDeath(bridge)
    return bridge
  }
  return { bridges, startBridge, killBridge }
}

async function makeNamespace({ core }: KubernetesApi, name: string): Promise<void> {
  await core.createNamespace({ body: { metadata: { name } } })
  await core.createNamespacedServiceAccount({ namespace: name, body: { metadata: { name: 'default' } } })
}
