import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { connect, type Db } from '#db/client.ts'
import { startPostgres } from '#local/postgres.ts'
import { createClient } from '#sdk/index.ts'
import { isAlive, startHubProcess, type HubProcess } from '../hub-process.ts'
import { makeFolder, removeFolder } from '../temporary-folder.ts'
import { checkLaunches, type History, type Line } from './check-launches.ts'

export type Dose = {
  /** Of three benchmarks each, that are to complete. A tenth as many again are cancelled or deleted at some moment. */
  jobs: number
  /** `kill -9` of the hub, and a start. */
  kills: number
  /** The same number gives the same pauses and durations, and kills after as much work; what meets what is the machine's. */
  seed: number
  /** For all to end, once nobody is killed any more. */
  patienceMs: number
}

const SUBMITTERS = 4
const workMsMax = 200
/** A little less than three runs write down. */
const RECORDED_BYTES_A_JOB = 3 * 180
const CATALOGUE = join(import.meta.dirname, 'catalogue')

type Target = { hub: HubProcess | undefined }

/**
 * Submits jobs to hubs of one data directory that are killed at random, one after the other, and takes some back. Answers every sentence that is wrong about the
 * history afterwards, and how many attempts the kills cost.
 */
export async function sufferKills(dose: Dose): Promise<{ wrong: string[]; restarts: number; history: History }> {
  const folder = await makeFolder()
  const target: Target = { hub: undefined }
  const stopping = new AbortController()
  try {
    const start = async () => (target.hub = await startHub(folder))
    await start()
    const random = randomNumbers(dose.seed)
    const submitting = submitAll(target, dose, stopping.signal)
    submitting.catch(() => undefined) // Waited for below, after the kills.
    const moments = Array.from({ length: dose.kills }, () => random() * dose.jobs * RECORDED_BYTES_A_JOB).toSorted((a, b) => a - b)
    for (const bytes of moments) {
      await untilRecorded(folder, bytes)
      await pause(random() * 100)
      const { hub } = target
      target.hub = undefined
      await hub?.kill()
      await start()
    }
    const ids = await submitting
    const told = await readHistory(join(folder, 'data'), dose.patienceMs)
    await target.hub?.stop()
    const record = await recorded(folder)
    const pids = [...new Set(record.map(({ pid }) => pid))]
    const lives = await Promise.all(pids.map((pid) => isAdapter(pid, folder)))
    const history = { ...ids, ...told, record, files: await filesOf(folder), alive: pids.filter((_, at) => lives[at]) }
    const restarts = told.attempts.filter(({ failureClass }) => failureClass === 'hub_restarted').length
    return { wrong: checkLaunches(history), restarts, history }
  } finally {
    stopping.abort()
    await target.hub?.kill()
    await removeFolder(folder)
  }
}

/** Its number may be another process's by now: where the system shows it, an adapter of these hubs is known by its environment. */
async function isAdapter(pid: number, folder: string): Promise<boolean> {
  if (process.platform !== 'linux') return isAlive(pid)
  return (await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')).includes(`TEST_RECORD=${folder}/`)
}

const startHub = (folder: string) =>
  startHubProcess({
    dataDir: join(folder, 'data'),
    args: ['--catalogue', CATALOGUE, '--max-parallel', '8'],
    env: { TEST_RECORD: join(folder, 'record') },
  })

/** The same numbers in every run with one seed. */
function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Jobs are submitted all the while; one whose submit the kill cut off is submitted again with its key. */
async function submitAll(target: Target, { jobs, seed }: Dose, signal: AbortSignal) {
  const ids = { submitted: [] as string[], takenBack: [] as string[] }
  const extra = Math.ceil(jobs / 10)
  let begun = 0
  const submitter = async (_: unknown, at: number) => {
    const random = randomNumbers(seed + at + 1)
    while (begun < jobs + extra) {
      const isExtra = begun++ % 11 === 10
      const id = await submit(target, random, signal)
      ids[isExtra ? 'takenBack' : 'submitted'].push(id)
      await pause(random() * 300, undefined, { signal })
      if (isExtra) await takeBack(target, id, random() < 0.5, signal)
    }
  }
  await Promise.all(Array.from({ length: SUBMITTERS }, submitter))
  return ids
}

async function submit(target: Target, random: () => number, signal: AbortSignal): Promise<string> {
  const benchmarks = Array.from({ length: 3 }, () => ({
    provider_id: 'short',
    id: 'run',
    parameters: { milliseconds: Math.round(random() * workMsMax) },
  }))
  const job = { name: 'stress', model: { url: 'http://localhost/v1', name: 'm' }, benchmarks }
  const idempotencyKey = crypto.randomUUID()
  const { resource } = await insist(target, signal, (evaluations) => evaluations.submit(job, { idempotencyKey }))
  return resource.id
}

/** One that had ended already, or is gone, is as good. */
async function takeBack(target: Target, id: string, isHard: boolean, signal: AbortSignal): Promise<void> {
  await insist(target, signal, async (evaluations) => {
    const act = isHard ? evaluations.delete(id) : evaluations.cancel(id)
    await act.catch((error: unknown) => {
      if (!(error instanceof Error && 'status' in error && (error.status === 404 || error.status === 409))) throw error
    })
  })
}

/** As long as the hub is away. */
async function insist<Result>(
  target: Target,
  signal: AbortSignal,
  act: (evaluations: ReturnType<typeof createClient>['evaluations']) => Promise<Result>,
): Promise<Result> {
  for (;;) {
    signal.throwIfAborted()
    try {
      if (target.hub) return await act(createClient({ baseUrl: target.hub.url, maxRetries: 0 }).evaluations)
    } catch (error) {
      const status = error instanceof Error && 'status' in error ? Number(error.status) : 0
      if (status >= 400 && status < 500) throw error
    }
    await pause(50, undefined, { signal })
  }
}

async function untilRecorded(folder: string, bytes: number): Promise<void> {
  while (((await stat(join(folder, 'record')).catch(() => undefined))?.size ?? 0) < bytes) await pause(20)
}

async function recorded(folder: string): Promise<Line[]> {
  const text = await readFile(join(folder, 'record'), 'utf8')
  // A kill may have cut a line off.
  const lines = text.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'))
  return lines.map((line) => JSON.parse(line) as Line)
}

async function filesOf(folder: string): Promise<string[]> {
  const base = join(folder, 'data', 'jobs')
  const entries = await readdir(base, { recursive: true, withFileTypes: true })
  const paths = entries.map((entry) => ({ isFile: !entry.isDirectory(), path: join(entry.parentPath, entry.name).slice(base.length + 1) }))
  const filled = new Set(paths.map(({ path }) => path.slice(0, path.lastIndexOf('/'))))
  return paths.filter(({ isFile, path }) => isFile || !filled.has(path)).map(({ path }) => path)
}

type Told = Pick<History, 'jobs' | 'runs' | 'attempts' | 'steps' | 'queued'>

/** What the hub's database says once nothing is owed to anybody, or when patience ends. */
async function readHistory(dataDir: string, patienceMs: number): Promise<Told> {
  // The hub's own server is found and used; its hub ends it.
  const { url } = await startPostgres({ dataDir, log: () => {} })
  const db = connect(url, { max: 1 })
  try {
    const endsAtMs = performance.now() + patienceMs
    while ((await countOpen(db)) > 0 && performance.now() < endsAtMs) await pause(200)
    return await toldBy(db)
  } finally {
    await db.end()
  }
}

async function countOpen(db: Db): Promise<number> {
  const [row] = await db<{ open: number }[]>`
    select ((select count(*) from evalhub.runs where settled_at is null)
      + (select count(*) from evalhub.evaluations where deleted_at is not null))::int as open`
  return row?.open ?? 0
}

async function toldBy(db: Db): Promise<Told> {
  return {
    jobs: await db<History['jobs'][number][]>`select id, state from evalhub.evaluations`,
    runs: await db<History['runs'][number][]>`
      select evaluation_id || '/' || benchmark_index as run, state, attempt, (metrics ->> 'acc')::float8 as acc,
        settled_at is not null as "isSettled" from evalhub.runs`,
    attempts: await db<History['attempts'][number][]>`
      select evaluation_id || '/' || benchmark_index as run, attempt, failure_class as "failureClass", ended_at is not null as "isEnded"
      from evalhub.attempts`,
    steps: await db<History['steps'][number][]>`
      select evaluation_id || '/' || benchmark_index as run, state from evalhub.job_events
      where benchmark_index is not null order by evaluation_id, seq`,
    queued: (await db<{ run: string }[]>`select evaluation_id || '/' || benchmark_index as run from evalhub.launch_queue`).map(
      ({ run }) => run,
    ),
  }
}
