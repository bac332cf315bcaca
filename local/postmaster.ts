import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, open, readFile, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import postgres from 'postgres'
import { connect } from '#db/client.ts'
import { plainEnvironment } from './postgres-account.ts'
import { complaintIn } from './postgres-complaint.ts'
import { role } from './postgres-home.ts'
import type { Home } from './postgres-home.ts'

/** PostgreSQL's main process: ours, or that of a hub that was killed. */
export type Postmaster = { pid: number; port: number }

/** Short, because a start takes a hundred milliseconds and PostgreSQL offers nothing to wait on but its file. */
const pollMs = 10
/** Recovery after a crash included, on a slow disk. */
const readyWithinMs = 60_000
/** Backends of a postmaster that was killed need a moment to notice; meanwhile no other one can start. */
const retryForMs = 5000
const logLimitBytes = 10_000_000

const cannotConnectNow = '57P03'

/** What another try may well not meet: a start that raced with ours, a port taken meanwhile, the backends just described. */
const passing =
  /lock file "postmaster\.pid" (already exists|is empty)|could not create any TCP\/IP sockets|pre-existing shared memory block/

export const urlOf = ({ password }: Home, { port }: Pick<Postmaster, 'port'>) => `postgres://${role}:${password}@127.0.0.1:${port}/postgres`

/** The postmaster of this home that is ready to serve: the one that runs, else a new one with these settings. */
export async function servingPostmaster(home: Home, settings: Record<string, string>, log: (message: string) => void): Promise<Postmaster> {
  const startedAt = performance.now()
  for (;;) {
    const running = await runningPostmaster(home)
    if (running) {
      log(`The database server of an earlier start still runs (process ${running.pid}); going on with it`)
      return running
    }
    const launched = await launch(home, settings)
    if (typeof launched !== 'string') return launched
    const passedMs = performance.now() - startedAt
    if (!passing.test(launched) || passedMs > retryForMs) throw new Error(launched)
    // A power cut can leave it empty; a server that starts fills it at once.
    if (launched.includes('is empty') && passedMs > 1000) await rm(lockFile(home), { force: true })
    await delay(10 * pollMs)
  }
}

/** Like PostgreSQL's own "fast" shutdown: open transactions are rolled back, connections closed, everything is written. */
export async function stopPostmaster(home: Home, { pid }: Postmaster): Promise<void> {
  for (const [signal, withinMs] of [
    ['SIGINT', 20_000],
    ['SIGQUIT', 10_000],
  ] as const) {
    if (!isAlive(pid)) return
    process.kill(pid, signal)
    if (await isOver(home, pid, withinMs)) return
  }
  throw new Error(`The database server (process ${pid}) does not end`)
}

/** Its file is gone just before the process; under a first process that reaps no children, the pid stays for good. */
async function isOver(home: Home, pid: number, withinMs: number): Promise<boolean> {
  const until = performance.now() + withinMs
  while (isAlive(pid) && (await readLockFile(home))?.pid === pid) {
    if (performance.now() > until) return false
    await delay(pollMs)
  }
  return true
}

async function runningPostmaster(home: Home): Promise<Postmaster | undefined> {
  const until = performance.now() + readyWithinMs
  for (;;) {
    const lock = await readLockFile(home)
    if (!lock || !isAlive(lock.pid)) return undefined
    if (!(await isPostmasterOf(home, lock.pid))) {
      // After a reboot or in a new container that pid is anyone's, and PostgreSQL would not start while it lives.
      await rm(lockFile(home), { force: true })
      return undefined
    }
    if (await answers(home, lock)) return { pid: lock.pid, port: lock.port }
    if (performance.now() > until) throw new Error(`its server runs (process ${lock.pid}) but does not answer; end that process`)
    await delay(pollMs)
  }
}

/** False while it starts, recovers or shuts down. Throws if it will never let us in. */
async function answers(home: Home, postmaster: Postmaster): Promise<boolean> {
  const sql = connect(urlOf(home, postmaster), { max: 1 })
  try {
    await sql`select 1`
    return true
  } catch (error) {
    const isRefusal = error instanceof postgres.PostgresError && error.code !== cannotConnectNow
    if (isRefusal) throw error
    return false
  } finally {
    await sql.end()
  }
}

async function isPostmasterOf(home: Home, pid: number): Promise<boolean> {
  if (process.platform === 'win32') return true
  const command =
    process.platform === 'linux'
      ? readFile(`/proc/${pid}/cmdline`, 'utf8')
      : promisify(execFile)('ps', ['-o', 'command=', '-p', String(pid)]).then(({ stdout }) => stdout)
  return command.then(
    (text) => text.includes(dataOf(home)),
    () => false,
  )
}

/** The postmaster once it is ready, or in words why there is none. */
async function launch(home: Home, settings: Record<string, string>): Promise<Postmaster | string> {
  const port = await freePort()
  const log = await openLog(home)
  try {
    const { size: logStart } = await log.stat()
    const options = Object.entries({ ...settings, port: String(port) }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const child = spawn(join(home.binaries, 'postgres'), ['-D', dataOf(home), ...options], {
      ...home.account,
      cwd: home.directory,
      env: plainEnvironment,
      stdio: ['ignore', log.fd, log.fd],
      detached: true, // Ctrl-C in the terminal is for the hub, which stops the server last
    })
    await once(child, 'spawn')
    child.unref()
    const pid = child.pid ?? 0

    const until = performance.now() + readyWithinMs
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null) return await lastComplaint(log, logStart)
      const lock = await readLockFile(home)
      if (lock?.pid === pid && lock.isReady) return { pid, port }
      if (performance.now() > until) {
        child.kill('SIGQUIT')
        return `its server was not ready within ${readyWithinMs / 1000} s; see ${logFile(home)}`
      }
      await delay(pollMs)
    }
  } finally {
    await log.close()
  }
}

/** PostgreSQL takes no port 0. Another program may take this one first; then the launch is repeated. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no TCP port is free on 127.0.0.1')
  return address.port
}

async function openLog(home: Home): Promise<FileHandle> {
  // No link is followed: the folder is the account's, and root writes here.
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW
  const log = await open(logFile(home), flags, 0o600)
  if (home.account) await log.chown(home.account.uid, home.account.gid)
  const { size } = await log.stat()
  if (size > logLimitBytes) await log.truncate()
  return log
}

async function lastComplaint(log: FileHandle, start: number): Promise<string> {
  const { buffer, bytesRead } = await log.read({ buffer: Buffer.alloc(64_000), position: start })
  return complaintIn(buffer.toString('utf8', 0, bytesRead)) ?? 'its server ended without a word'
}

const dataOf = (home: Home) => join(home.directory, 'data')
const lockFile = (home: Home) => join(dataOf(home), 'postmaster.pid')
const logFile = (home: Home) => join(home.directory, 'postgres.log')

type Lock = Postmaster & { isReady: boolean }

/** What the postmaster says of itself: pid, directory, start, port, socket directory, address, shared memory, status, a line each. */
async function readLockFile(home: Home): Promise<Lock | undefined> {
  const text = await readFile(lockFile(home), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  const [pid, , , port, , , , status] = text.split('\n')
  if (!Number(pid) || !Number(port)) return undefined
  return { pid: Number(pid), port: Number(port), isReady: status?.trim() === 'ready' }
}

/** A process of another user counts as none, as it does to PostgreSQL. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
