import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { removePostgres } from '#local/postgres-home.ts'
import { startPostgres } from '#local/postgres.ts'

/**
 * `npm run bench:start`: how soon the built functions are ready after their process was started, and the memory that they take then and after
 * some requests. Fails if that is more than 400 ms, or 120 MB.
 */

const STARTS = 9
const READY_MS = 400
const MEMORY_MB = 120
const REQUESTS = 20_000
const CONNECTIONS = 64

/** As `npm run start:functions` and the image have it: left to itself, the heap of a large machine grows before it is swept. */
const FLAGS = ['--max-semi-space-size=4', '--max-old-space-size=256']

const run = promisify(execFile)

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Resident memory of a process of Linux; elsewhere there is nothing to read, and 0 comes back. */
async function memoryMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
}

/** Time that a process of Linux has had a processor for; on a busy machine it says more than the clock. */
async function processorMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const [user, system] = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12, 14)
  // The kernel counts hundredths of a second.
  return (Number(user ?? 0) + Number(system ?? 0)) * 10
}

async function measure(program: string, databaseUrl: string, requests: number) {
  const port = await freePort()
  const env = {
    PATH: process.env.PATH,
    DATABASE_URL: databaseUrl,
    IDENTITY_MODE: 'none',
    PORT: String(port),
    METRICS_HOST: '127.0.0.1',
    METRICS_PORT: '0',
  }
  const startedAt = performance.now()
  const child = spawn(process.execPath, [...FLAGS, program], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  const ready = () =>
    fetch(`http://127.0.0.1:${port}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    )
  while (!(await ready())) {
    if (child.exitCode !== null) throw new Error(`the functions ended with ${child.exitCode}`)
    await pause(2)
  }
  const readyMs = performance.now() - startedAt
  const workMs = await processorMs(child.pid ?? 0)
  const freshMb = await memoryMb(child.pid ?? 0)
  await load(`http://127.0.0.1:${port}/api/v1/evaluations/jobs`, requests)
  const usedMb = await memoryMb(child.pid ?? 0)
  child.kill('SIGTERM')
  await once(child, 'exit')
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
  await run(process.execPath, [join(import.meta.dirname, '../local/build.ts'), folder])
  await run(process.execPath, [join(folder, 'bin/migrate.mjs')], { env: { DATABASE_URL: postgres.url } })
  const program = join(folder, 'bin/functions.mjs')
  const starts = []
  for (let start = 0; start < STARTS; start++) starts.push(await measure(program, postgres.url, 0))
  const times = starts.map(({ readyMs }) => readyMs).sort((a, b) => a - b)
  const { freshMb, usedMb } = await measure(program, postgres.url, REQUESTS)
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
