import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { removePostgres } from '#local/postgres-home.ts'
import { startPostgres } from '#local/postgres.ts'
import { buildInto, memoryMb, startBuilt } from './built-functions.ts'

/**
 * `npm run bench:start`: how soon the built functions are ready after their process was started, and the memory that they take then and after
 * some requests. Fails if that is more than 400 ms, or 120 MB.
 */

const STARTS = 9
const READY_MS = 400
const MEMORY_MB = 120
const REQUESTS = 20_000
const CONNECTIONS = 64

const run = promisify(execFile)

/** Time that a process of Linux has had a processor for; on a busy machine it says more than the clock. */
async function processorMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const [user, system] = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12, 14)
  // The kernel counts hundredths of a second.
  return (Number(user ?? 0) + Number(system ?? 0)) * 10
}

async function measure(folder: string, databaseUrl: string, requests: number) {
  const { url, pid, readyMs, stop } = await startBuilt(folder, databaseUrl)
  const workMs = await processorMs(pid)
  const freshMb = await memoryMb(pid)
  await load(`${url}/api/v1/evaluations/jobs`, requests)
  const usedMb = await memoryMb(pid)
  await stop()
  return { readyMs, workMs, freshMb, usedMb }
}

async function load(url: string, requests: number): Promise<void> {
  let left = requests
  const work = async () => {
    while (left-- > 0) await (await fetch(url)).arrayBuffer()
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, work))
}

const folder = await mkdtemp(join(tmpdir(), 'evalhub-start-'))
const dataDir = join(folder, 'data')
const postgres = await startPostgres({ dataDir, log: () => {} })
try {
  await buildInto(folder)
  await run(process.execPath, [join(folder, 'bin/migrate.mjs')], { env: { DATABASE_URL: postgres.url } })
  const starts = []
  for (let start = 0; start < STARTS; start++) starts.push(await measure(folder, postgres.url, 0))
  const times = starts.map(({ readyMs }) => readyMs).sort((a, b) => a - b)
  const { freshMb, usedMb } = await measure(folder, postgres.url, REQUESTS)
  const median = times[Math.floor(STARTS / 2)] ?? NaN
  console.log(`ready after ${times.map(Math.round).join(', ')} ms: median ${Math.round(median)} ms, to be at most ${READY_MS} ms`)
  console.log(`processor time until then: ${starts.map(({ workMs }) => workMs).join(', ')} ms`)
  console.log(
    `memory ${Math.round(freshMb)} MB when ready, ${Math.round(usedMb)} MB after ${REQUESTS} requests, to be at most ${MEMORY_MB} MB`,
  )
  if (median > READY_MS || usedMb > MEMORY_MB) process.exitCode = 1
} finally {
  await postgres.stop()
  await removePostgres(dataDir)
  await rm(folder, { recursive: true, force: true })
}
