import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createClient } from '#sdk/index.ts'
import { dose } from './dose.ts'
import { isAlive, startHubProcess } from './hub-process.ts'
import { makeFolder, removeFolder } from './temporary-folder.ts'

const KILLS = dose(5, 20)
const JOBS_A_LIFE = 3
const CATALOGUE = join(import.meta.dirname, 'catalogue')

type Line = { run: string; what: 'begins' | 'second' | 'acknowledged'; pid: number }

let folder: string
beforeEach(async () => {
  folder = await makeFolder()
})
afterEach(() => removeFolder(folder))

const start = () =>
  startHubProcess({
    dataDir: join(folder, 'data'),
    args: ['--catalogue', CATALOGUE, '--max-parallel', '4'],
    env: { TEST_RECORD: join(folder, 'record') },
  })

async function recorded(): Promise<Line[]> {
  const text = await readFile(join(folder, 'record'), 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Line)
}

/** The same numbers in every run of the test, so that a failure can be seen again. */
function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Submits and lets the hub live for a while; a request that the kill cuts off was not acknowledged, so it does not count. */
async function liveAndDie(random: () => number): Promise<string[]> {
  const hub = await start()
  const { evaluations } = createClient({ baseUrl: hub.url, maxRetries: 0 })
  const submits = Array.from({ length: JOBS_A_LIFE }, async () => {
    await pause(random() * 300)
    const benchmarks = Array.from({ length: 2 }, () => ({
      provider_id: 'recorder',
      id: 'short',
      parameters: { milliseconds: Math.round(random() * 300) },
    }))
    const job = await evaluations.submit({ name: 'crash', model: { url: 'http://localhost/v1', name: 'm' }, benchmarks })
    return job.resource.id
  })
  // Waited for from here on, because the kill rejects some of them.
  const settled = Promise.allSettled(submits)
  await pause(random() * 1000)
  await hub.kill()
  return (await settled).flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
}

// Guarantee: `kill -9` at any moment loses no run and no acknowledged result, runs nothing twice at once, and leaves no process behind.
test(`after ${KILLS} kills at random moments every acknowledged job completes`, { timeout: 300_000 }, async () => {
  const random = randomNumbers(20261122)
  const ids: string[] = []
  for (let life = 0; life < KILLS; life++) {
    ids.push(...(await liveAndDie(random)))
    const pids = new Set((await recorded()).map(({ pid }) => pid))
    await vi.waitFor(() => expect([...pids].filter(isAlive)).toEqual([]), { timeout: 5000 })
  }

  const acknowledged = (await recorded()).filter(({ what }) => what === 'acknowledged').map(({ run }) => run)
  const hub = await start()
  const { evaluations } = createClient({ baseUrl: hub.url })
  for (const run of acknowledged) {
    const [id = '', index] = run.split('/')
    const { status } = await evaluations.get(id)
    expect(status.benchmarks[Number(index)]).toMatchObject({ status: 'completed' })
  }
  const jobs = await Promise.all(ids.map((id) => evaluations.wait(id, { timeoutMs: 120_000 })))
  await hub.stop()

  expect(ids.length).toBeGreaterThan(KILLS)
  expect(jobs.map(({ status }) => status).filter(({ state }) => state !== 'completed')).toEqual([])
  expect((await recorded()).filter(({ what }) => what === 'second')).toEqual([])
})
