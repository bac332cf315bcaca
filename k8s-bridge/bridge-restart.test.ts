import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, vi } from 'vitest'
import { specFor, storedRuns, submitSpecs } from '#db/test-evaluation.ts'
import { isAlive, keptLog, report, runBecomes, test as base, textOf } from './test-bridge.ts'

/** A process with a bridge of its own, as a hub has it. */
const HUB = `
  import { connect } from '#db/client.ts'
  import { startBridge } from '#k8s-bridge/bridge.ts'
  import { createLocalRuntime } from '#k8s-bridge/local/runtime.ts'
  import { DEFAULT_TEST_DATA_LIMITS } from '#k8s-bridge/local/test-data.ts'
  const { databaseUrl, directory } = JSON.parse(process.argv[1])
  const db = connect(databaseUrl, { max: 3 })
  const onError = console.error
  const holder = 'hub-' + process.pid
  const runtime = createLocalRuntime({
    db, holder, hubId: 'test-hub', node: 'laptop', baseDirectory: directory + '/jobs', callbackUrl: 'http://127.0.0.1:1', environment: process.env, hiddenVariables: [], folders: { open: [], closed: [] }, home: '/',
    maxParallel: 8, allowProviderCommands: false, onError, testData: { limits: DEFAULT_TEST_DATA_LIMITS, secretsFolder: directory + '/secrets' },
  })
  await startBridge({ db, runtime, holder, onError, intervalMs: 100 })
`

const test = base.extend('startHub', async ({ databaseUrl, directory }, { onCleanup }) => {
  const stops: (() => Promise<void>)[] = []
  onCleanup(async () => void (await Promise.all(stops.map((kill) => kill()))))
  return () => {
    const argument = JSON.stringify({ databaseUrl, directory })
    const hub = spawn(process.execPath, ['--input-type=module', '-e', HUB, argument], { stdio: ['ignore', 'inherit', 'inherit'] })
    const exited = once(hub, 'exit')
    const kill = async () => {
      hub.kill('SIGKILL')
      await exited
    }
    stops.push(kill)
    return { kill }
  }
})

/** Notes each start, and whether an earlier start of the same run was alive then. */
const noted = (directory: string, then: string) => {
  const notes = `${directory}/$(basename "$(dirname "$(dirname "$(dirname "$(dirname "$EVALHUB_JOB_SPEC_PATH")")")")")`
  return `notes="${notes}"; for pid in $(cat "$notes" 2>/dev/null); do
    if [ -e /proc/$pid ] && ! grep -q ') Z' /proc/$pid/stat; then touch ${directory}/overlap; fi; done
    echo $$ >> "$notes"; ${then}`
}
const pidsOf = async (path: string) => (await readFile(path, 'utf8')).trim().split('\n')

describe('a hub that is killed', () => {
  // The guarantee of a crash: nothing is left behind, nothing is lost, and nothing runs twice at once.
  test('leaves no process, and its runs are launched again once, by the next', async ({ db, directory, start, startHub }) => {
    const id = await submitSpecs(db, Array(3).fill(specFor(noted(directory, `trap '' TERM; echo words; while :; do sleep 0.05; done`))))
    const hub = startHub()
    const first = await Promise.all([0, 1, 2].map((index) => textOf(`${directory}/${index}`)))
    await vi.waitFor(async () => expect((await storedRuns(db, id)).every(({ queued }) => queued === 0)).toBe(true), { timeout: 5000 })

    await hub.kill()
    const { errors } = await start()

    await vi.waitFor(async () => expect((await Promise.all(first.map(isAlive))).includes(true)).toBe(false), {
      timeout: 3000,
      interval: 10,
    })
    for (const index of [0, 1, 2]) {
      await vi.waitFor(async () => expect(await pidsOf(`${directory}/${index}`)).toHaveLength(2), { timeout: 10_000 })
    }
    await vi.waitFor(async () =>
      expect((await storedRuns(db, id)).map(({ state, attempt, queued }) => ({ state, attempt, queued }))).toEqual(
        [0, 1, 2].map(() => ({ state: 'pending', attempt: 2, queued: 0 })),
      ),
    )
    expect(existsSync(`${directory}/overlap`)).toBe(false)
    expect(errors).toEqual([])
    expect(await db`select distinct attempt, failure_class from evalhub.attempts order by attempt`).toEqual([
      { attempt: 1, failure_class: 'hub_restarted' },
      { attempt: 2, failure_class: null },
    ])
    expect(await keptLog(db, id, 1)).toBe('words\n'.repeat(3))
  })

  test('loses neither a result that it had acknowledged nor the log of that run', async ({ db, directory, start, startHub }) => {
    const command = `while [ ! -e ${directory}/go ]; do sleep 0.02; done; echo last words; echo x > ${directory}/said; exec sleep 100`
    const id = await submitSpecs(db, [specFor(noted(directory, command))])
    const hub = startHub()
    await textOf(`${directory}/0`)
    await runBecomes(db, id, { queued: 0 })
    await report(db, id, { status: 'completed', metrics: { accuracy: 1 } })
    await writeFile(`${directory}/go`, '')
    await textOf(`${directory}/said`)

    await hub.kill()
    await start()
    const run = await runBecomes(db, id, { is_settled: true })

    expect(run).toMatchObject({ state: 'completed', attempt: 1 })
    expect(await keptLog(db, id)).toBe('last words\n')
    expect(await pidsOf(`${directory}/0`)).toHaveLength(1)
  })
})

describe('a bridge that is stopped', () => {
  test('ends its adapters, and their runs go on with another attempt at the next start', async ({ db, directory, start }) => {
    const id = await submitSpecs(db, [specFor(noted(directory, `trap 'echo ending; exit 3' TERM; while :; do sleep 0.02; done`))])
    const { stop } = await start()
    const pid = await textOf(`${directory}/0`)
    await runBecomes(db, id, { queued: 0 })
    await report(db, id, { status: 'running', phase: 'running_evaluation', progress: 0.5 })

    await stop()

    expect(await isAlive(pid)).toBe(false)
    expect(await storedRuns(db, id)).toMatchObject([{ state: 'running', attempt: 1, is_settled: false }])
    expect(await keptLog(db, id)).toMatch(/ending\n$/)
    await start()
    await runBecomes(db, id, { state: 'pending', attempt: 2, queued: 0 })
    await vi.waitFor(async () => expect(await pidsOf(`${directory}/0`)).toHaveLength(2))
  })

  test('ends no run once it is paused, whatever becomes of the adapter', async ({ db, directory, start }) => {
    const id = await submitSpecs(db, [specFor(noted(directory, 'exec sleep 100'))])
    const { pause, stop } = await start({ intervalMs: 10 })
    const pid = await textOf(`${directory}/0`)
    await runBecomes(db, id, { queued: 0 })

    await pause()
    process.kill(Number(pid), 'SIGKILL')
    await vi.waitFor(async () => expect(await isAlive(pid)).toBe(false))
    await stop()

    expect(await storedRuns(db, id)).toMatchObject([{ state: 'pending', attempt: 1, message: null, is_settled: false }])
  })
})
