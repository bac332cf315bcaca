import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import packageFile from '../package.json' with { type: 'json' }

/** Of `npm run start:functions`, with the environment of the image: left to itself, the heap of a large machine grows before it is swept. */
const FLAGS = packageFile.scripts['start:functions'].split(' ').filter((word) => /^--(max|no)-/.test(word))

/** `npm run build` into `folder`. */
export async function buildInto(folder: string): Promise<void> {
  await promisify(execFile)(process.execPath, [join(import.meta.dirname, '../local/build.ts'), folder])
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A server that listens on TCP has an address of this form.
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Resident memory of a process of Linux; elsewhere there is nothing to read, and 0 comes back. */
export async function memoryMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
}

export type BuiltFunctions = { url: string; pid: number; child: ChildProcess; readyMs: number; stop: () => Promise<void> }

/** The functions that `buildInto` wrote to `folder`, ready, with the time that this took. */
export async function startBuilt(folder: string, databaseUrl: string): Promise<BuiltFunctions> {
  const url = `http://127.0.0.1:${await freePort()}`
  const env = {
    PATH: process.env.PATH,
    MALLOC_ARENA_MAX: '1',
    DATABASE_URL: databaseUrl,
    IDENTITY_MODE: 'none',
    PORT: new URL(url).port,
    METRICS_HOST: '127.0.0.1',
    METRICS_PORT: '0',
  }
  const startedAt = performance.now()
  const child = spawn(process.execPath, [...FLAGS, join(folder, 'app/functions.mjs')], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  const isReady = () =>
    fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    )
  while (!(await isReady())) {
    if (child.exitCode !== null) throw new Error(`the functions ended with ${child.exitCode}`)
    await pause(2)
  }
  const stop = async () => {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  return { url, pid: child.pid ?? 0, child, readyMs: performance.now() - startedAt, stop }
}
