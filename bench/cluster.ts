import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { parseAllDocuments, type Scalar, type YAMLSeq } from 'yaml'
import { connect, type Pool } from '#db/client.ts'
import { migrate } from '#db/migrate.ts'
import { specFor, submitSpecs } from '#db/test-evaluation.ts'
import { connectKubernetes, readKubeConfig } from '#k8s-bridge/kubernetes/api.ts'
import { streamFrom } from '#k8s-bridge/kubernetes/api-stream.ts'
import { jobFor, secretFor, specFor as configMapFor } from '#k8s-bridge/kubernetes/manifest.ts'
import { settings } from '#k8s-bridge/kubernetes/test-attempt.ts'
import { startEntry, type EntryProcess } from '../test/entry-process.ts'
import { recordJobs } from '../test/faults/job-record.ts'
import { startTemporary } from '../test/start-postgres.ts'

/**
 * `npm run bench:cluster`: the bridge under load on the cluster of KUBECONFIG, beside a bare client that makes the same objects in the same run.
 *
 * The bridge is the built one (`npm run build` first). Give it a cluster with simulated nodes, or none.
 * `--bare 500` objects of the bare client, `--burst 2000` runs at once, `--steady 30` seconds at five runs a second, `--api-server PID` for its CPU,
 * `--lives` for that of whole runs, on simulated nodes and with `--bare 0`: else the API server's has the bare client's objects in it.
 */
const { values } = parseArgs({
  options: {
    bare: { type: 'string', default: '500' },
    burst: { type: 'string', default: '2000' },
    steady: { type: 'string', default: '30' },
    'api-server': { type: 'string', default: '' },
    lives: { type: 'boolean', default: false },
  },
})
const [bareCount, burst, steadySeconds] = [values.bare, values.burst, values.steady].map(Number) as [number, number, number]

const config = readKubeConfig()
const api = connectKubernetes(config)
const image = {
  runtime: { k8s: { Image: 'localhost/adapter:1', CPURequest: '10m', CPULimit: '', MemoryRequest: '16Mi', MemoryLimit: '' } },
}
const spec = specFor('', image)
const sizes = (share: number, of: number[]) => of.toSorted((a, b) => a - b)[Math.floor(of.length * share)] ?? Number.NaN

async function makeNamespace(): Promise<string> {
  const name = `bench-${randomUUID()}`
  await api.core.createNamespace({ body: { metadata: { name } } })
  return name
}

/** The same three objects, by as many loops as go fastest. */
async function bareRate(namespace: string, count: number, loops: number): Promise<number> {
  const startedAtMs = performance.now()
  let left = count
  const loop = async () => {
    while (left-- > 0) {
      const request = { name: 'bench', model: { url: 'http://localhost/v1', name: 'toy' } }
      const attempt = { tenant: namespace, evaluationId: randomUUID(), benchmarkIndex: 0, attempt: 1, oomFailures: 0, spec, request }
      const around = { hasMlflowCa: false }
      const job = await api.batch.createNamespacedJob({ namespace, body: jobFor(attempt, settings, around) })
      const jobUid = job.metadata?.uid ?? ''
      await Promise.all([
        api.core.createNamespacedConfigMap({ namespace, body: configMapFor(attempt, settings, around, jobUid) }),
        api.core.createNamespacedSecret({ namespace, body: secretFor(attempt, settings, around, { jobUid, runToken: 'x'.repeat(90) }) }),
      ])
    }
  }
  await Promise.all(Array.from({ length: loops }, loop))
  return (count / (performance.now() - startedAtMs)) * 1000
}

/** CPU seconds so far, and MiB resident now and at most. */
function usageOf(pid: number) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  const ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const mib = (name: string) => Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024)
  return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticks, mib: mib('VmRSS'), mibMax: mib('VmHWM') }
}

async function until(isSo: () => Promise<boolean>, withinMs = 1_200_000): Promise<void> {
  const endsAtMs = performance.now() + withinMs
  while (!(await isSo())) {
    if (performance.now() > endsAtMs) throw new Error('it took too long')
    await delay(100)
  }
}

/** Node's, with which the bridge is installed. */
function shippedOptions(): string[] {
  const [deployment] = parseAllDocuments(readFileSync(new URL('../infra/kubernetes/base/bridge.yaml', import.meta.url), 'utf8'))
  const command = deployment?.getIn(['spec', 'template', 'spec', 'containers', 0, 'command']) as YAMLSeq<Scalar<string>> // it is a list of words
  return command.items.map(({ value }) => value).filter((word) => word.startsWith('--'))
}

const countUnsettled = async (db: Pool) =>
  (await db<{ count: number }[]>`select count(*)::int as count from evalhub.runs where settled_at is null`)[0]!.count

const countQueued = async (db: Pool) => (await db<{ count: number }[]>`select count(*)::int as count from evalhub.launch_queue`)[0]!.count

const usage = (pid: number) => (pid > 0 ? usageOf(pid) : undefined)
const apiServer = Number(values['api-server'])

async function burstRate(db: Pool, namespaces: string[], bridge: EntryProcess): Promise<number> {
  const before = [usage(bridge.child.pid ?? 0), usage(apiServer)]
  const each = Math.ceil(burst / 20)
  const startedAtMs = performance.now()
  for (let at = 0; at < 20; at++) await submitSpecs(db, Array(each).fill(spec), { tenant: namespaces[at % namespaces.length]! })
  await db.notify('evalhub_bridge', '')
  await until(async () => (await countQueued(db)) === 0)
  const rate = ((each * 20) / (performance.now() - startedAtMs)) * 1000
  const after = [usage(bridge.child.pid ?? 0), usage(apiServer)]
  console.log(
    `CPU of the burst: bridge ${spent(before[0], after[0])} s, API server ${spent(before[1], after[1])} s; bridge ${after[0]?.mib} MiB, at most ${after[0]?.mibMax} MiB`,
  )
  return rate
}

const spent = (before?: { cpuSeconds: number }, after?: { cpuSeconds: number }) =>
  before && after ? (after.cpuSeconds - before.cpuSeconds).toFixed(1) : 'unknown'

/** From the commit of a submit to when a watch shows its Job, in ms. */
async function steadyLatencies(db: Pool, namespace: string, seconds: number): Promise<number[]> {
  const submittedAtMs = new Map<string, number>()
  const seenAtMs = new Map<string, number>()
  const record = recordJobs(streamFrom(config), (job) => {
    const id = job.metadata?.labels?.job_id ?? ''
    if (!seenAtMs.has(id)) seenAtMs.set(id, performance.now())
  })
  await delay(2000)
  for (let at = 0; at < seconds * 5; at++) {
    const startedAtMs = performance.now()
    const id = await submitSpecs(db, [spec], { tenant: namespace })
    await db.notify('evalhub_bridge', '')
    submittedAtMs.set(id, startedAtMs)
    await delay(Math.max(0, 200 - (performance.now() - startedAtMs)))
  }
  await until(async () => [...submittedAtMs.keys()].every((id) => seenAtMs.has(id)), 60_000)
  await record.stop()
  return [...submittedAtMs].map(([id, atMs]) => seenAtMs.get(id)! - atMs)
}

const postgres = await startTemporary()
const db = connect(postgres.url)
try {
  await migrate(db)
  const environment = {
    DATABASE_URL: postgres.url,
    RUNTIME: 'kubernetes',
    EVALHUB_IMAGE: 'localhost/evalhub:1',
    FUNCTIONS_URL: 'http://127.0.0.1:1',
    RUN_TOKEN_KEY: 'the key of this bench'.padEnd(32, '.'),
    RUNS_MAX: '100000',
    RUNS_PER_TENANT_MAX: '100000',
    KUBECONFIG: process.env.KUBECONFIG ?? '',
    MALLOC_ARENA_MAX: '1',
  }
  const start = () => startEntry(`${process.cwd()}/dist/app/bridge.mjs`, environment, shippedOptions())
  let bridge = await start()
  const namespaces = await Promise.all(Array.from({ length: 4 }, makeNamespace))

  const livesFromMs = performance.now()
  const beforeLives = [usage(bridge.child.pid ?? 0), usage(apiServer)]
  if (steadySeconds > 0) {
    const latencies = await steadyLatencies(db, namespaces[0]!, steadySeconds)
    console.log(
      `submit to Job at 5 runs/s: p50 ${sizes(0.5, latencies).toFixed(0)} ms, p99 ${sizes(0.99, latencies).toFixed(0)} ms of ${latencies.length}`,
    )
  }
  if (bareCount > 0) {
    const one = await bareRate(namespaces[0]!, bareCount, 16)
    const ours = await burstRate(db, namespaces, bridge)
    const two = await bareRate(namespaces[0]!, bareCount, 16)
    const bare = (one + two) / 2
    console.log(
      `launch rate: bridge ${ours.toFixed(1)}/s of ${burst}; bare client ${one.toFixed(1)}/s before and ${two.toFixed(1)}/s after; ratio ${(ours / bare).toFixed(2)}`,
    )
  } else if (burst > 0) {
    console.log(`launch rate: bridge ${(await burstRate(db, namespaces, bridge)).toFixed(1)}/s of ${burst}`)
  }

  if (values.lives) {
    await until(async () => (await countUnsettled(db)) === 0)
    const now = [usage(bridge.child.pid ?? 0), usage(apiServer)]
    console.log(
      `CPU of all runs from submit to settled, in ${((performance.now() - livesFromMs) / 1000).toFixed(0)} s: bridge ${spent(beforeLives[0], now[0])} s, API server ${spent(beforeLives[1], now[1])} s; bridge ${now[0]?.mib} MiB`,
    )
  }

  await submitSpecs(db, Array(200).fill(spec), { tenant: namespaces[1]! })
  await db.notify('evalhub_bridge', '')
  await until(async () => (await countQueued(db)) < 150)
  bridge.child.kill('SIGKILL')
  const killedAtMs = performance.now()
  await bridge.ended
  const leased = await db<{ id: number }[]>`select id from evalhub.launch_queue where lease_holder is not null`
  bridge = await start()
  const ids = leased.map(({ id }) => id)
  await until(
    async () =>
      (await db`select from evalhub.launch_queue where id in (select jsonb_array_elements(${JSON.stringify(ids)}::text::jsonb)::bigint)`)
        .length === 0,
  )
  console.log(
    `after a kill: ${ids.length} leased runs of the dead bridge are launched ${((performance.now() - killedAtMs) / 1000).toFixed(1)} s later`,
  )
  bridge.child.kill('SIGTERM')
  await bridge.ended
  for (const name of namespaces) await api.core.deleteNamespace({ name })
} finally {
  await db.end()
  await postgres.stop()
}
