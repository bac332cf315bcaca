import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, vi } from 'vitest'
import { readLastWords } from '#shared/domain/last-words.ts'
import type { SidecarConfig } from '#shared/models/sidecar-config.ts'
import { eventOf, EVENTS, hubOf, requestOf, RUN, test as base } from './test-sidecar.ts'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** `files(hub, changes)` writes what the bridge mounts; `run(args?)` starts the real program with them. */
const test = base
  .extend('files', async ({ folder }) => async (hub: URL, changes: Record<string, unknown> = {}) => {
    const port = await freePort()
    const config: SidecarConfig & Record<string, unknown> = {
      base_url: `http://localhost:${port}`,
      tenant: 'red',
      run_token_path: join(folder, 'run-token'),
      eval_hub: { base_url: hub.origin },
      ...changes,
    }
    const spec = { id: RUN.evaluationId, provider_id: 'frame', benchmark_id: 'first', benchmark_index: 0, parameters: {} }
    await writeFile(join(folder, 'config.json'), JSON.stringify(config))
    await writeFile(join(folder, 'job.json'), JSON.stringify(spec))
    return new URL(`http://127.0.0.1:${port}`)
  })
  .extend('run', async ({ folder }, { onCleanup }) => {
    const children: ReturnType<typeof spawn>[] = []
    onCleanup(() => children.forEach((child) => child.kill('SIGKILL')))
    return (...args: string[]) => {
      const env = {
        SIDECAR_CONFIG_PATH: join(folder, 'config.json'),
        JOB_SPEC_PATH: join(folder, 'job.json'),
        SPOOL_DIR: join(folder, 'spool'),
        TERMINATION_LOG_PATH: join(folder, 'termination-log'),
      }
      const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] })
      children.push(child)
      let output = ''
      child.stdout.on('data', (data: Buffer) => (output += data))
      const ended = once(child, 'close').then(([code]) => code as number | null)
      const ready = () => vi.waitFor(() => expect(output).toContain('The sidecar is ready'), 10_000)
      return { ended, ready, output: () => output, kill: (signal: 'SIGTERM' | 'SIGKILL') => child.kill(signal) }
    }
  })

test('answers on loopback and nowhere else, and its check says when it is ready', async ({ files, run, upstream, skip }) => {
  const url = await files((await upstream(hubOf().listener)).url)
  expect(await run('--check').ended).toBe(1)
  const sidecar = run()
  await sidecar.ready()
  expect(await run('--check').ended).toBe(0)
  expect(await requestOf(url, '/health')).toMatchObject({ status: 200, text: '' })
  const outside = Object.values(networkInterfaces()).flat().find((address) => address && !address.internal && address.family === 'IPv4') // prettier-ignore
  if (!outside) return skip('this machine has no address but loopback')
  await expect(requestOf(new URL(`http://${outside.address}:${url.port}`), '/health')).rejects.toThrow('ECONNREFUSED')
})

test('what is not configured is refused in words', async ({ files, run, upstream }) => {
  const url = await files((await upstream(hubOf().listener)).url)
  await run().ready()
  expect(await requestOf(url, '/v1/models')).toMatchObject({ status: 400, text: 'unknown proxy call: /v1/models\n' })
  expect(await requestOf(url, '/api/2.0/mlflow/runs')).toMatchObject({ status: 400, text: 'mlflow proxy is not configured\n' })
  expect(await requestOf(url, '/v1/../x')).toMatchObject({ status: 400 })
})

describe('a start that fails', () => {
  test.for<[string, (folder: string) => Promise<void>]>([
    ['config.json cannot be read: ENOENT', (folder) => writeFile(join(folder, 'job.json'), '{}')],
    ['config.json is no JSON', (folder) => writeFile(join(folder, 'config.json'), '{"a":')],
    ['config.json lacks run_token_path (a string)', (folder) => writeFile(join(folder, 'config.json'), '{"tenant":"red"}')],
    [
      'config.json lacks eval_hub.base_url (a string)',
      (folder) => writeFile(join(folder, 'config.json'), '{"tenant":"","run_token_path":"","eval_hub":{}}'),
    ],
  ])('says: %s', async ([why, spoil], { folder, run }) => {
    await spoil(folder)
    const sidecar = run()
    expect(await sidecar.ended).toBe(1)
    const line = await readFile(join(folder, 'termination-log'), 'utf8')
    expect(line).toMatch(/^The sidecar did not start: .+\n$/)
    expect(line).toContain(why)
    expect(sidecar.output()).toBe(line)
  })

  test('says so when its run token is missing', async ({ files, folder, run, upstream }) => {
    await files((await upstream(hubOf().listener)).url, { run_token_path: join(folder, 'nowhere') })
    expect(await run().ended).toBe(1)
    expect(await readFile(join(folder, 'termination-log'), 'utf8')).toMatch(/^The sidecar did not start: ENOENT.*nowhere/)
  })
})

// Guarantee: a result that was acknowledged to the adapter survives kill -9, and reaches the hub in its order.
test('after kill -9 the next sidecar sends what the spool holds', async ({ files, folder, run, upstream }) => {
  const { url: hubUrl, close } = await upstream(() => undefined)
  await close()
  const url = await files(hubUrl)
  const first = run()
  await first.ready()
  for (const status of ['failed', 'completed']) {
    expect((await requestOf(url, EVENTS, { body: eventOf(status) })).status).toBe(204)
  }
  first.kill('SIGKILL')
  await first.ended
  await writeFile(join(folder, 'spool', '000000003.json.draft'), '{"cut off')

  const hub = hubOf()
  await upstream(hub.listener, Number(hubUrl.port))
  await run().ready()
  await vi.waitFor(() => expect(hub.posts.map(({ event }) => event.status)).toEqual(['failed', 'completed']), 5000)
  await vi.waitFor(async () => expect(await readdir(join(folder, 'spool'))).toEqual(['000000003.json.draft']))
})

test('after SIGTERM it ends only when a hub that was away has everything', async ({ files, run, upstream }) => {
  const { url: hubUrl, close } = await upstream(() => undefined)
  await close()
  const url = await files(hubUrl)
  const sidecar = run()
  await sidecar.ready()
  await requestOf(url, EVENTS, { body: eventOf('running', { progress: 0.5 }) })
  await requestOf(url, EVENTS, { body: eventOf('completed') })
  sidecar.kill('SIGTERM')
  await vi.waitFor(() => expect(readLastWords(sidecar.output())).toHaveLength(1), 5000)
  expect((await requestOf(url, '/health')).status).toBe(200)

  const hub = hubOf()
  await upstream(hub.listener, Number(hubUrl.port))
  expect(await sidecar.ended).toBe(0)
  expect(hub.posts.map(({ event }) => event.status)).toEqual(['running', 'completed'])
})

test('with nothing to say it ends at once', async ({ files, run, upstream }) => {
  await files((await upstream(hubOf().listener)).url)
  const sidecar = run()
  await sidecar.ready()
  sidecar.kill('SIGTERM')
  expect(await sidecar.ended).toBe(0)
  expect(sidecar.output()).not.toContain('last-words')
})
