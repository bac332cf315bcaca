import { writeFileSync } from 'node:fs'
import { createLog } from '#shared/log.ts'
import { readPort, readSidecarSettings, terminationLogPath } from './config.ts'
import { http } from './http.ts'
import { startSidecar, type Sidecar } from './sidecar.ts'

/**
 * The sidecar of one benchmark run: `node sidecar.mjs` until SIGTERM and until the hub has all events; `node sidecar.mjs --check` ends with 0
 * if one is ready here.
 */

/** Shorter than the pod's grace period of 600 s, which begins before the signal. */
const LIMITS = { aloudMs: 2000, giveUpMs: 570_000 }

const write = (line: string) => void process.stdout.write(`${line}\n`)
const log = createLog({ write, now: () => new Date() })

function fail(error: unknown): never {
  const line = `The sidecar did not start: ${error instanceof Error ? error.message : String(error)}`.replaceAll('\n', ' ')
  write(line)
  try {
    writeFileSync(terminationLogPath(), `${line}\n`)
  } catch {
    // The same line is in the log.
  }
  process.exit(1)
}

async function check(): Promise<number> {
  const port = await readPort()
  return new Promise((resolve) => {
    const request = http.get({ host: '127.0.0.1', port, path: '/health', timeout: 5000 }, ({ statusCode }) =>
      resolve(statusCode === 200 ? 0 : 1),
    )
    request.once('timeout', () => request.destroy())
    request.once('error', () => resolve(1))
  })
}

/** Before all else: the first process of a container that has no handler is not ended by a signal. */
function stopOnSignals(starting: Promise<Sidecar>): void {
  let isStopping = false
  const stop = async () => {
    if (isStopping) return
    isStopping = true
    const left = await (await starting).finish(LIMITS)
    log.info('The sidecar ends', { undelivered: left })
    process.exit(left === 0 ? 0 : 1)
  }
  process.on('SIGTERM', () => void stop().catch(fail))
  process.on('SIGINT', () => void stop().catch(fail))
}

if (process.argv.includes('--check')) process.exit(await check().catch(() => 1))
try {
  const starting = readSidecarSettings().then((settings) => startSidecar(settings, { log, write, random: Math.random }))
  stopOnSignals(starting)
  log.info('The sidecar is ready', { port: (await starting).port })
} catch (error) {
  fail(error)
}
