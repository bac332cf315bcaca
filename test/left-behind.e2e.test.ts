import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createClient } from '#sdk/index.ts'
import { isAlive, startHubProcess, type HubProcess } from './hub-process.ts'
import { makeFolder, removeFolder } from './temporary-folder.ts'

let folder: string
beforeEach(async () => {
  folder = await makeFolder()
  await mkdir(join(folder, 'catalogue', 'providers'), { recursive: true })
  await writeFile(join(folder, 'stay'), `echo $$ >> ${folder}/pids\nexec sleep 1000\n`)
  const command = `setsid sh -c 'sh ${folder}/stay &' & exec sleep 1000`
  const provider = { id: 'stray', name: 'Stray', runtime: { local: { command } }, benchmarks: [{ id: 'b', name: 'B' }] }
  await writeFile(join(folder, 'catalogue', 'providers', 'stray.yaml'), JSON.stringify(provider))
})
afterEach(() => removeFolder(folder))

const start = () => startHubProcess({ dataDir: join(folder, 'data'), args: ['--catalogue', join(folder, 'catalogue')] })

/** The daemons that adapters have made, by how many there are. */
const daemons = (count: number) =>
  vi.waitFor(
    async () => {
      const pids = (await readFile(join(folder, 'pids'), 'utf8')).trim().split('\n').map(Number)
      expect(pids).toHaveLength(count)
      return pids
    },
    { timeout: 30_000, interval: 50 },
  )

async function submit({ url }: HubProcess): Promise<string> {
  const benchmarks = [{ provider_id: 'stray', id: 'b' }]
  const { resource } = await createClient({ baseUrl: url }).evaluations.submit({
    name: 's',
    model: { url: 'http://localhost/v1', name: 'm' },
    benchmarks,
  })
  return resource.id
}

const isGone = (pid: number | undefined) => vi.waitFor(() => expect(isAlive(pid!)).toBe(false), { timeout: 10_000, interval: 20 })

// Guarantee: what an adapter started in a session of its own, with another parent, ends with its run all the same.
describe.skipIf(process.platform !== 'linux')('a daemon of an adapter', () => {
  test('is ended when the run is cancelled, and when the hub is stopped', async () => {
    const hub = await start()
    const id = await submit(hub)
    const [first] = await daemons(1)
    expect(isAlive(first!)).toBe(true)
    await createClient({ baseUrl: hub.url }).evaluations.cancel(id)
    await isGone(first)

    await submit(hub)
    const [, second] = await daemons(2)
    expect(isAlive(second!)).toBe(true)
    expect(await hub.stop()).toMatchObject({ code: 0 })
    await isGone(second)
  })

  test('is ended by the next hub if the first one was killed; what is of no run of it is left alone', async () => {
    const first = await start()
    await submit(first)
    const [pid] = await daemons(1)
    const other = spawn('sleep', ['1000'], { stdio: 'ignore', detached: true, env: { ...process.env, EVALHUB_RUN: 'other-hub/job/0/1' } })
    await once(other, 'spawn')
    await first.kill()
    expect(isAlive(pid!)).toBe(true)

    const second = await start()
    await isGone(pid)
    expect(isAlive(other.pid!)).toBe(true)
    await second.stop()
    other.kill('SIGKILL')
  })
})
