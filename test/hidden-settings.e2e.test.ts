import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { connect } from '#db/client.ts'
import { specFor, submitSpecs } from '#db/test-evaluation.ts'
import type { Postgres } from '#local/postgres.ts'
import { createClient } from '#sdk/index.ts'
import { startEntry } from './entry-process.ts'
import { startHubProcess } from './hub-process.ts'
import { startTemporary } from './start-postgres.ts'
import { makeFolder, removeFolder } from './temporary-folder.ts'

/** What an adapter of a hub on one machine finds in the environments and arguments of all processes that it can look at. */

let server: Postgres
let password: string
let folder: string
beforeAll(async () => {
  server = await startTemporary()
  password = new URL(server.url).password
})
afterAll(() => server.stop())
beforeEach(async () => {
  folder = await makeFolder()
})
afterEach(() => removeFolder(folder))

const seenFile = () => join(folder, 'seen')

/** The attack: all that `/proc` shows, the hub and whatever started it included. */
const spy = () =>
  `cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' > ${seenFile()}.new; mv ${seenFile()}.new ${seenFile()}`

const seen = () => vi.waitFor(() => readFile(seenFile(), 'utf8'), { timeout: 30_000, interval: 50 })

/** Which of these are in a text that is better not printed. */
const foundIn = (text: string, ...words: string[]) => words.filter((word) => text.includes(word))

/** The same from here. */
function allProcesses(): string {
  const read = (pid: string, name: string) => {
    try {
      return readFileSync(`/proc/${pid}/${name}`, 'utf8')
    } catch {
      return '' // It has ended meanwhile.
    }
  }
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => [read(pid, 'environ'), read(pid, 'cmdline')]).join('\n')
}

describe.skipIf(process.platform !== 'linux')('an adapter finds in no process', () => {
  test('the database of the hub, nor its password', async () => {
    await mkdir(join(folder, 'catalogue', 'providers'), { recursive: true })
    const provider = { id: 'spy', name: 'Spy', runtime: { local: { command: spy() } }, benchmarks: [{ id: 'b', name: 'B' }] }
    await writeFile(join(folder, 'catalogue', 'providers', 'spy.yaml'), JSON.stringify(provider))
    const env = { DATABASE_URL: server.url, PGPASSWORD: 'canary-of-the-driver', VISIBLE: 'canary-to-be-seen' }
    const hub = await startHubProcess({ dataDir: join(folder, 'data'), args: ['--catalogue', join(folder, 'catalogue')], env })
    const benchmarks = [{ provider_id: 'spy', id: 'b' }]
    await createClient({ baseUrl: hub.url }).evaluations.submit({
      name: 'spy',
      model: { url: 'http://localhost/v1', name: 'm' },
      benchmarks,
    })

    const text = await seen()
    expect(foundIn(text, 'canary-to-be-seen', 'local/main.ts', password, 'canary-of-the-driver')).toEqual([
      'canary-to-be-seen',
      'local/main.ts',
    ])

    // It is the same process, which the terminal and whoever supervises it know.
    expect(await hub.stop()).toMatchObject({ code: 0 })
  })

  // `npm start` keeps them in npm and its shell: the hub, which cannot clean these, says so, and started by node it has none to speak of.
  test.each([
    ['a shell that waits', 'node --import ./local/mended-sources.ts local/main.ts "$@" & wait', ['PGPASSWORD']],
    ['a shell that gives it its place', 'exec node --import ./local/mended-sources.ts local/main.ts "$@"', []],
    ['a shell that reads a file', '. "$FILE"; export PGPASSWORD; node --import ./local/mended-sources.ts local/main.ts "$@" & wait', []],
  ])('the password that was given to %s, or the hub warns of it by name', async (_, script, warned) => {
    await writeFile(join(folder, 'settings'), 'PGPASSWORD=canary-of-the-driver\n')
    const isFromFile = script.includes('FILE')
    const { PATH } = process.env
    const env = {
      PATH: `${dirname(process.execPath)}:${PATH}`,
      FILE: join(folder, 'settings'),
      ...(!isFromFile && { PGPASSWORD: 'canary-of-the-driver' }),
    }
    const args = ['--port', '0', '--data-dir', join(folder, 'data')]
    const shell = spawn('/bin/sh', ['-c', script, 'sh', ...args], { cwd: join(import.meta.dirname, '..'), env, detached: true })
    let output = ''
    for (const stream of [shell.stdout, shell.stderr]) stream.on('data', (part) => (output += part))
    await vi.waitFor(() => expect(output).toContain('is ready'), { timeout: 60_000, interval: 50 })
    const text = allProcesses()
    process.kill(-(shell.pid ?? 0), 'SIGTERM')
    await once(shell, 'close')

    expect(/Adapters can read (.*) in the processes that started this one/.exec(output)?.[1]?.split(', ') ?? []).toEqual(warned)
    expect(output).not.toContain('canary')
    expect(foundIn(text, 'canary-of-the-driver')).toEqual(warned.length > 0 ? ['canary-of-the-driver'] : [])
  })

  test('the settings of a bridge, by whatever name they are given', async () => {
    await writeFile(join(folder, 'config.yaml'), 'env_mappings: { OWN_NAME: database.direct_url }\n')
    const bridge = await startEntry('k8s-bridge/main.ts', {
      CONFIG_PATH: join(folder, 'config.yaml'),
      OWN_NAME: server.url,
      DATABASE_URL: 'postgres://u:canary-of-a-url@127.0.0.1:1/x',
      RUN_TOKEN_KEY: 'canary-of-the-key-of-run-tokens-0123456789',
      IDENTITY_MODE: 'none',
      RUNTIME: 'local',
      DATA_DIR: join(folder, 'data'),
      VISIBLE: 'canary-to-be-seen',
    })
    const db = connect(server.url, { max: 1 })
    await submitSpecs(db, [specFor(spy())])
    await db.notify('evalhub_bridge', '')
    await db.end()

    const text = await seen()
    const secrets = [password, 'canary-of-a-url', 'canary-of-the-key-of-run-tokens']
    expect(foundIn(text, 'canary-to-be-seen', 'k8s-bridge/main.ts', ...secrets)).toEqual(['canary-to-be-seen', 'k8s-bridge/main.ts'])
    expect(await bridge.stop()).toMatchObject({ code: 0, stderr: '' })
  })

  test('the key of the model that a demo evaluates', async () => {
    const key = 'canary-of-the-model-key'
    const keys = new Set<string | undefined>()
    let text = ''
    const model = createServer((request, response) => {
      if (request.method === 'POST') keys.add(request.headers.authorization)
      if (request.method === 'POST') text ||= allProcesses()
      response.end(JSON.stringify({ choices: [{ message: { content: 'A' }, finish_reason: 'stop' }] }))
    }).listen(0, '127.0.0.1')
    await once(model, 'listening')
    const url = `http://127.0.0.1:${(model.address() as AddressInfo).port}/v1`
    const demo = join(import.meta.dirname, '../local/demo.ts')
    const child = spawn(
      process.execPath,
      [demo, '--model-url', url, '--model-name', 'm', '--api-key-env', 'OWN_KEY', '--num-examples', '3'],
      {
        env: { ...process.env, DATABASE_URL: 'postgres://u:canary-of-a-url@127.0.0.1:1/x', OWN_KEY: key, VISIBLE: 'canary-to-be-seen' },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (output += part))
    const [code] = (await once(child, 'close')) as [number]
    model.closeAllConnections()
    model.close()

    expect([code, output]).toEqual([0, expect.stringContaining('Overall score')])
    expect([...keys]).toEqual([`Bearer ${key}`])
    expect(foundIn(text, 'canary-to-be-seen', key, 'canary-of-a-url')).toEqual(['canary-to-be-seen'])
  })

  test('of the database what the hub was given', async () => {
    const dataDir = join(folder, 'data')
    const hub = await startHubProcess({ dataDir, env: { VISIBLE: 'canary-to-be-seen' } })
    const [pid] = (await readFile(join(dataDir, 'postgres', 'data', 'postmaster.pid'), 'utf8')).split('\n')
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('canary')
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(
      (await readFile(join(dataDir, 'postgres', 'password'), 'utf8')).trim(),
    )
    await hub.stop()
  })
})
