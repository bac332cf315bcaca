import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createClient } from '#sdk/index.ts'
import { isAlive, runHubProcess, startHubProcess } from './hub-process.ts'
import { parseMetrics, valueOf } from './metrics-text.ts'
import { makeFolder, removeFolder } from './temporary-folder.ts'

const CATALOGUE = join(import.meta.dirname, 'catalogue')

let folder: string
let dataDir: string
beforeEach(async () => {
  folder = await makeFolder()
  dataDir = join(folder, 'data')
})
afterEach(() => removeFolder(folder))

/** One line for the user, and no stack. */
const complaint = (text: string | RegExp) => ({ code: 1, stderr: expect.stringMatching(text) })

async function expectRefusal(args: string[], text: RegExp): Promise<void> {
  const ended = await runHubProcess({ dataDir, args })
  expect(ended).toMatchObject(complaint(text))
  expect(
    ended.stderr
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('evalhub:')),
  ).toHaveLength(1)
  expect(ended.stderr).not.toMatch(/\n\s+at /)
}

describe('npm start', () => {
  test('refuses a data directory that another hub uses, and leaves that hub alone', async () => {
    const first = await startHubProcess({ dataDir })
    await expectRefusal([], /Another hub is running/)
    expect(await createClient({ baseUrl: first.url }).health()).toMatchObject({ status: 'healthy' })
    await first.stop()
  })

  test('goes on with what the last one stored, running adapters included', async () => {
    const options = { dataDir, args: ['--catalogue', CATALOGUE], env: { TEST_RECORD: join(folder, 'record') } }
    const first = await startHubProcess(options)
    const { evaluations } = createClient({ baseUrl: first.url })
    const benchmarks = [{ provider_id: 'recorder', id: 'short', parameters: { milliseconds: 1500 } }]
    const { resource } = await evaluations.submit({ name: 'stop', model: { url: 'http://localhost/v1', name: 'm' }, benchmarks })
    await vi.waitFor(async () => expect((await evaluations.get(resource.id)).status.state).toBe('running'), { timeout: 10_000 })
    await first.stop()

    const second = await startHubProcess(options)
    const job = await createClient({ baseUrl: second.url }).evaluations.wait(resource.id, { timeoutMs: 20_000 })
    await second.stop()
    expect(job.status.state).toBe('completed')
    expect(job.results.test).toEqual({ score: 0.75, threshold: 0.5, pass: true })
  })

  test('serves its metrics beside the API, and logs requests only if it is told to', async () => {
    const quiet = await startHubProcess({ dataDir })
    await fetch(`${quiet.url}/api/v1/evaluations/jobs`)
    await fetch(`${quiet.url}/api/v1/health`)
    const samples = parseMetrics(await (await fetch(`${quiet.url}/metrics`)).text())
    expect(valueOf(samples, 'http_server_request_count_total', { http_route: '/api/v1/health' })).toBe(1)
    expect(valueOf(samples, 'http_server_request_duration_seconds_count', { http_route: '/api/v1/evaluations/jobs' })).toBe(1)
    expect(valueOf(samples, 'evalhub_evaluation_jobs_total', { action: 'created', runtime: 'local' })).toBe(0)
    expect((await fetch(`${quiet.url}/readyz`)).status).toBe(200)
    expect((await quiet.stop()).stderr).not.toContain('"request"')

    const telling = await startHubProcess({ dataDir, args: ['--log-requests'] })
    await fetch(`${telling.url}/api/v1/evaluations/jobs`)
    expect((await telling.stop()).stderr).toContain('"message":"request"')
  })

  test('prints a line for each job that started, completed or failed, with the reason', async () => {
    const hub = await startHubProcess({ dataDir, args: ['--catalogue', CATALOGUE], env: { TEST_RECORD: join(folder, 'record') } })
    let said = ''
    hub.child.stdout?.on('data', (data: Buffer) => (said += data))
    const { evaluations } = createClient({ baseUrl: hub.url })
    const model = { url: 'http://127.0.0.1:1/v1', name: 'm' }
    const good = { name: 'good', model, benchmarks: [{ provider_id: 'recorder', id: 'short', parameters: { milliseconds: 1 } }] }
    const bad = { name: 'bad', model, benchmarks: [{ provider_id: 'builtin', id: 'world_capitals' }] }
    for (const job of [good, bad]) await evaluations.wait((await evaluations.submit(job)).resource.id, { timeoutMs: 60_000 })

    const lines = await vi.waitFor(() => {
      const found = said.split('\n').filter((line) => line.includes(' Job '))
      expect(found).toHaveLength(4)
      return found
    }, 20_000)

    await hub.stop()
    const words = lines.map((line) => line.replace(/^\d\d:\d\d:\d\d Job (\w+) \([0-9a-f-]{36}\)/, '$1'))
    const of = (job: string) => words.filter((line) => line.startsWith(job))
    expect([...of('good'), ...of('bad')]).toEqual([
      'good started: 1 benchmark',
      'good completed, score 0.75, pass',
      'bad started: 1 benchmark',
      expect.stringMatching(/^bad failed: builtin\/world_capitals: .*127\.0\.0\.1:1/),
    ])
  })

  test('ends adapters and database with Ctrl-C', async () => {
    const hub = await startHubProcess({ dataDir })
    await hub.stop()
    expect(hub.child.exitCode).toBe(0)
    expect(isAlive(hub.child.pid!)).toBe(false)
  })

  // As with `npm start | tee log`: Ctrl-C ends the reader too, and what the hub then says has no way out.
  test('ends in order although its reader has gone', async () => {
    const hub = await startHubProcess({ dataDir })
    hub.child.stdout?.destroy()
    hub.child.stderr?.destroy()
    expect(await hub.stop()).toMatchObject({ code: 0 })
    expect(existsSync(join(dataDir, 'postgres', 'data', 'postmaster.pid'))).toBe(false)
  })

  test('says which port is taken, before it makes anything', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await vi.waitFor(() => expect(server.listening).toBe(true))
    const { port } = server.address() as AddressInfo
    await expectRefusal(['--port', String(port)], new RegExp(`Port ${port} on 127.0.0.1 is taken`))
    expect(existsSync(dataDir)).toBe(false)
    server.close()
  })

  test('says what is wrong with its options, all at once', async () => {
    await expectRefusal(['--port', '99999', '--max-parallel', '0'], /--port must be at most 65535; --max-parallel must be 1 or more/)
    await expectRefusal(['--host', '0.0.0.0'], /--host must be a loopback address/)
    await expectRefusal(['--prot', '1'], /--prot/)
  })

  test('says which catalogue file is wrong, where, and why', async () => {
    const providers = join(folder, 'catalogue', 'providers')
    await mkdir(providers, { recursive: true })
    await writeFile(join(providers, 'bad.yaml'), 'id: bad\nbenchmarks: [{ id: 7 }]\n')
    await writeFile(join(providers, 'worse.yaml'), 'id: [\n')
    await expectRefusal(
      ['--catalogue', join(folder, 'catalogue')],
      /bad\.yaml is not valid: line 2: benchmarks\[0\]\.id.*worse\.yaml is not valid: line 2: /s,
    )
    await expectRefusal(['--catalogue', join(folder, 'nowhere')], /nowhere has neither a folder providers/)
  })

  test('follows the files of a catalogue while it runs', async () => {
    const file = join(folder, 'catalogue', 'providers', 'own.yaml')
    await mkdir(join(file, '..'), { recursive: true })
    await writeFile(file, 'id: own\nname: One\n')
    const hub = await startHubProcess({ dataDir, args: ['--catalogue', join(folder, 'catalogue')] })
    const { providers } = createClient({ baseUrl: hub.url })
    expect(await providers.get('own')).toMatchObject({ name: 'One' })
    await writeFile(file, 'id: own\nname: Two\n')
    await vi.waitFor(async () => expect(await providers.get('own')).toMatchObject({ name: 'Two' }), { timeout: 10_000 })
    await hub.stop()
  })

  test('says that its data directory is a file', async () => {
    await writeFile(dataDir, '')
    await expectRefusal([], /data/)
  })
})
