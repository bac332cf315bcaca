import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { vi } from 'vitest'
import type { Pool } from '#db/client.ts'
import { recordEvent } from '#db/commands/record-event.ts'
import { storedRuns, type StoredRun } from '#db/test-evaluation.ts'
import { test as base } from '#db/test-db.ts'
import { BenchmarkStatusEvent } from '#shared/models/event.ts'
import { startBridge, type Bridge } from './bridge.ts'
import { createLocalRuntime, type LocalRuntimeOptions } from './local/runtime.ts'
import { DEFAULT_TEST_DATA_LIMITS } from './local/test-data.ts'
import type { RunLog } from './run-log.ts'

type Options = Partial<LocalRuntimeOptions> & { intervalMs?: number; runLog?: RunLog }

export type TestBridge = Bridge & { errors: unknown[] }

/** `test` with an empty database, a directory, and bridges that are stopped at its end. */
export const test = base
  .extend('directory', async ({ db }, { onCleanup }) => {
    await db`truncate evalhub.evaluations cascade`
    const directory = await mkdtemp(join(tmpdir(), 'evalhub-bridge-'))
    onCleanup(() => rm(directory, { recursive: true, force: true }))
    return directory
  })
  .extend('start', async ({ db, directory }, { onCleanup }) => {
    const bridges: Bridge[] = []
    onCleanup(async () => void (await Promise.all(bridges.map((bridge) => bridge.stop()))))
    return async (options: Options = {}): Promise<TestBridge> => {
      const bridge = await startTestBridge(db, directory, options)
      bridges.push(bridge)
      return bridge
    }
  })

/** A bridge with the local runtime, as a hub starts it. */
export async function startTestBridge(
  db: Pool,
  directory: string,
  { intervalMs = 200, runLog, ...options }: Options = {},
): Promise<TestBridge> {
  const errors: unknown[] = []
  const onError = (error: unknown) => void errors.push(error)
  const holder = `test-${randomUUID()}`
  const runtime = createLocalRuntime({
    db,
    holder,
    hubId: holder,
    baseDirectory: join(directory, 'jobs'),
    callbackUrl: 'http://127.0.0.1:1',
    environment: process.env,
    hiddenVariables: [],
    folders: { open: [directory], closed: [] },
    home: '/opt/evalhub',
    node: 'laptop',
    maxParallel: 8,
    allowProviderCommands: false,
    testData: { limits: DEFAULT_TEST_DATA_LIMITS, secretsFolder: `${directory}/secrets` },
    graceMs: 300,
    onError,
    ...options,
  })
  const bridge = await startBridge({ db, runtime, holder, onError, intervalMs, ...(runLog && { runLog }) })
  return { ...bridge, errors }
}

/** Tells the bridge what functions tell it after a commit. */
export const signal = (db: Pool) => db.notify('evalhub_bridge', '')

/** What an adapter would post. */
export async function report(db: Pool, evaluationId: string, event: Partial<BenchmarkStatusEvent>): Promise<void> {
  const whole = BenchmarkStatusEvent.parse({ provider_id: 'provider', id: 'benchmark', status: 'running', ...event })
  await recordEvent(db, { evaluationId, event: whole }, new Date().toISOString())
}

/** Waits until the first run is as `expected`, and answers it. */
export async function runBecomes(db: Pool, evaluationId: string, expected: Partial<StoredRun>, timeout = 10_000): Promise<StoredRun> {
  return vi.waitFor(
    async () => {
      const [run] = await storedRuns(db, evaluationId)
      if (!run || Object.entries(expected).some(([name, value]) => run[name as keyof StoredRun] !== value)) {
        throw new Error(`${JSON.stringify(run)} is not yet ${JSON.stringify(expected)}`)
      }
      return run
    },
    { timeout, interval: 20 },
  )
}

/** The log that is kept of a run. */
export async function keptLog(db: Pool, evaluationId: string, attempt = 1): Promise<string> {
  const rows = await db<{ chunk: Uint8Array }[]>`
    select chunk from evalhub.run_logs where evaluation_id = ${evaluationId} and attempt = ${attempt} order by benchmark_index, seq`
  return Buffer.concat(rows.map(({ chunk }) => gunzipSync(chunk))).toString()
}

/** Waits for a file that a run writes, and answers its text. */
export const textOf = (path: string): Promise<string> =>
  vi.waitFor(
    async () => {
      const text = await readFile(path, 'utf8')
      if (text === '') throw new Error(`${path} is empty`)
      return text
    },
    { timeout: 10_000, interval: 10 },
  )

/** True if the process lives: a dead one that waits to be collected does not count. */
export async function isAlive(pid: string): Promise<boolean> {
  const status = await readFile(`/proc/${pid.trim()}/stat`, 'utf8').catch(() => '')
  return status !== '' && !/\) Z/.test(status)
}
