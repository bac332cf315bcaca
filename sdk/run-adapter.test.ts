import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { BenchmarkStatusEvent } from '#shared/models/event.ts'
import { AdapterFailure, type Adapter, type AdapterHost } from './adapter.ts'
import { readAdapterSettings, type AdapterSettings } from './config.ts'
import { runAdapter } from './run-adapter.ts'

let folder: string
const servers: Server[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evalhub-run-adapter-'))
})
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
  await rm(folder, { recursive: true })
})

type Hub = {
  url: string
  port: number
  events: BenchmarkStatusEvent[]
  requests: { path: string; headers: IncomingHttpHeaders }[]
  close: () => Promise<void>
}

const REFUSAL = JSON.stringify({ message_code: 'request_validation_failed', message: 'The request validation failed: too much.' })

/** A hub that answers each event with what `statusOf` says; undefined means that it does not answer. */
async function startHub(statusOf: (event: BenchmarkStatusEvent, count: number) => number | undefined = () => 204, port = 0): Promise<Hub> {
  const hub: Omit<Hub, 'url' | 'port' | 'close'> = { events: [], requests: [] }
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString()))
    request.on('end', () => {
      const event = BenchmarkStatusEvent.parse((JSON.parse(body) as { benchmark_status_event: unknown }).benchmark_status_event)
      hub.events.push(event)
      hub.requests.push({ path: request.url ?? '', headers: request.headers })
      const status = statusOf(event, hub.events.length)
      if (status !== undefined) response.writeHead(status).end(status === 400 ? REFUSAL : '')
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const address = server.address() as AddressInfo
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()))
  return { ...hub, url: `http://127.0.0.1:${address.port}`, port: address.port, close }
}

async function settingsFor(callbackUrl: string, changes: { settings?: Partial<AdapterSettings>; spec?: Record<string, unknown> } = {}) {
  const jobSpecPath = join(folder, 'run', 'meta', 'job.json')
  await mkdir(dirname(jobSpecPath), { recursive: true })
  const spec = {
    id: 'job/1',
    provider_id: 'p',
    benchmark_id: 'b',
    benchmark_index: 2,
    model: { url: 'http://model/v1', name: 'm' },
    parameters: {},
    callback_url: `${callbackUrl}/`,
    ...changes.spec,
  }
  await writeFile(jobSpecPath, JSON.stringify(spec))
  return { ...readAdapterSettings({ EVALHUB_JOB_SPEC_PATH: jobSpecPath }), deliverySeconds: 5, ...changes.settings }
}

const adapterOf = (run: Adapter['run']): Adapter => ({ id: 'p', run })
const good = adapterOf(async () => ({ metrics: { acc: 0.5 } }))

describe('runAdapter', () => {
  test('reports the run from its first phase to its results', async () => {
    const hub = await startHub()
    const adapter = adapterOf(async (spec, host) => {
      expect(spec).toMatchObject({ benchmark_id: 'b', parameters: {} })
      host.phase('running_evaluation')
      const path = join(host.workdir, 'out.txt')
      await writeFile(path, 'evidence')
      const artifact = await host.artifact('out', path)
      expect(artifact).toEqual({ uri: pathToFileURL(path).href, sha256: createHash('sha256').update('evidence').digest('hex'), bytes: 8 })
      const statistics = {
        acc: { n: 4, planned: 4, scored: 4, failed: 0, stderr: 0.25 },
        other: { n: 1, planned: 1, scored: 1, failed: 0, stderr: 9 },
      }
      return { metrics: { acc: 0.5 }, statistics, additional_info: { note: 'x' }, metrics_schema: [{ name: 'acc', type: 'numeric' }] }
    })
    expect(await runAdapter(adapter, await settingsFor(hub.url))).toBe(0)

    expect(hub.requests[0]?.path).toBe('/api/v1/evaluations/jobs/job%2F1/events')
    expect(hub.events[0]).toMatchObject({ provider_id: 'p', id: 'b', benchmark_index: 2, status: 'running', phase: 'initializing' })
    const last = hub.events.at(-1)
    expect(last).toMatchObject({
      status: 'completed',
      phase: 'completed',
      progress: 1,
      metrics: { acc: 0.5, acc_stderr: 0.25 },
      metrics_schema: [{ name: 'acc' }],
    })
    expect(last?.metrics).not.toHaveProperty('other_stderr')
    expect(last?.additional_info).toMatchObject({ note: 'x', statistics: { acc: { n: 4 } } })
    expect(last?.artifacts).toMatchObject({ out: { bytes: 8 } })
    expect(hub.events.filter(({ status }) => status === 'completed')).toHaveLength(1)
  })

  test.each([
    [
      new AdapterFailure('dataset_missing', 'Say which file.'),
      { message: 'Say which file.', message_code: 'dataset_missing', message_origin: 'adapter' },
    ],
    [
      new TypeError('x is undefined\n    at secret stack'),
      { message: 'The adapter failed unexpectedly: TypeError: x is undefined', message_code: 'adapter_error', message_origin: 'sdk' },
    ],
  ])('reports %s as failed, without a stack', async (thrown, message) => {
    const hub = await startHub()
    const code = await runAdapter(
      adapterOf(() => Promise.reject(thrown)),
      await settingsFor(hub.url),
    )
    expect(code).toBe(1)
    expect(hub.events.at(-1)).toMatchObject({ status: 'failed', error_message: message })
  })

  test('shows all warnings with the results', async () => {
    const hub = await startHub()
    const adapter = adapterOf(async (_, host) => {
      host.warn('one', 'First.')
      host.warn('two', 'Second.')
      return { metrics: {} }
    })
    await runAdapter(adapter, await settingsFor(hub.url))
    expect(hub.events.at(-1)?.warning_message).toEqual({
      message: 'First.\nSecond.',
      message_code: 'several_warnings',
      message_origin: 'adapter',
    })
  })

  // Guarantee: progress never holds up an evaluation, and never floods the hub.
  test('sends progress at most about twice a second, and the newest', async () => {
    const hub = await startHub()
    const adapter = adapterOf(async (_, host) => {
      for (let step = 1; step <= 100; step++) {
        host.progress(step / 100)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      return { metrics: {} }
    })
    await runAdapter(adapter, await settingsFor(hub.url))
    const sent = hub.events.slice(0, -1).flatMap(({ progress }) => progress ?? [])
    expect(sent.length).toBeGreaterThanOrEqual(1)
    expect(sent.length).toBeLessThanOrEqual(4)
    expect(sent).toEqual(sent.toSorted((left, right) => left - right))
  })

  test('does not wait for a hub that refuses progress', async () => {
    const hub = await startHub(({ status }) => (status === 'running' ? 500 : 204))
    expect(await runAdapter(good, await settingsFor(hub.url))).toBe(0)
  })

  test('repeats the end until it is acknowledged, through a restart of the hub', async () => {
    const first = await startHub(({ status }) => (status === 'completed' ? 503 : 204))
    const running = runAdapter(good, await settingsFor(first.url))
    await vi.waitFor(() => expect(first.events.at(-1)?.status).toBe('completed'), { timeout: 5000 })
    servers[0]?.closeAllConnections()
    await first.close()
    const second = await startHub(() => 204, first.port)
    expect(await running).toBe(0)
    expect(second.events.map(({ status }) => status)).toEqual(['completed'])
  })

  // Guarantee: the log's last lines are what a user reads of a run that ended without a report.
  test('an end that the hub refuses is told in the hub’s words', async () => {
    const hub = await startHub((event) => (event.status === 'completed' ? 400 : 204))
    const told = vi.spyOn(console, 'error')
    await runAdapter(good, await settingsFor(hub.url))
    const sentence = 'The end of the run (completed) was not delivered: the hub answered 400: The request validation failed: too much.'
    expect(told).toHaveBeenCalledWith(expect.stringContaining(sentence))
    told.mockRestore()
  })

  test.each([
    [409, 0],
    [204, 0],
    [400, 3],
    [404, 3],
  ])('an end that is answered %i makes exit code %i and is not repeated', async (status, code) => {
    const hub = await startHub((event) => (event.status === 'completed' ? status : 204))
    expect(await runAdapter(good, await settingsFor(hub.url))).toBe(code)
    expect(hub.events.filter((event) => event.status === 'completed')).toHaveLength(1)
  })

  test('an end that cannot be delivered makes an exit code of its own', async () => {
    const hub = await startHub()
    await hub.close()
    expect(await runAdapter(good, await settingsFor(hub.url, { settings: { deliverySeconds: 0.3 } }))).toBe(3)
  })

  test('a run that the hub has ended meanwhile is given up', async () => {
    const hub = await startHub((_, count) => (count === 1 ? 204 : 409))
    let reason: unknown
    const adapter = adapterOf(
      (_, host) =>
        new Promise(() => {
          host.signal.addEventListener('abort', () => (reason = host.signal.reason))
          host.phase('running_evaluation')
        }),
    )
    expect(await runAdapter(adapter, await settingsFor(hub.url))).toBe(1)
    expect(reason).toMatchObject({ code: 'run_ended' })
  })

  test.each([
    ['is missing', undefined],
    ['is no JSON', '{'],
    ['lacks fields', '{"id":"x"}'],
  ])('a specification that %s makes exit code 2', async (_, content) => {
    const settings = await settingsFor('http://127.0.0.1:1')
    if (content === undefined) await rm(settings.jobSpecPath)
    else await writeFile(settings.jobSpecPath, content)
    expect(await runAdapter(good, settings)).toBe(2)
  })
})

describe('identity of events', () => {
  test('tenant and token of a pod come from its projected files', async () => {
    const serviceAccountDir = join(folder, 'sa')
    await mkdir(serviceAccountDir)
    await writeFile(join(serviceAccountDir, 'namespace'), 'team-a\n')
    await writeFile(join(serviceAccountDir, 'token'), 'sa-token')
    const hub = await startHub()
    const pod = { mode: 'k8s' as const, serviceAccountDir, podDataDir: folder }
    await runAdapter(good, await settingsFor(hub.url, { settings: pod }))
    expect(hub.requests.at(-1)?.headers).toMatchObject({ 'x-tenant': 'team-a', authorization: 'Bearer sa-token' })

    await writeFile(join(folder, 'token'), 'run-token')
    await runAdapter(good, await settingsFor(hub.url, { settings: { ...pod, authTokenPath: join(folder, 'token') } }))
    expect(hub.requests.at(-1)?.headers.authorization).toBe('Bearer run-token')
  })

  test('a local run sends neither, whatever files there are', async () => {
    await writeFile(join(folder, 'namespace'), 'team-a')
    const hub = await startHub()
    await runAdapter(good, await settingsFor(hub.url, { settings: { serviceAccountDir: folder } }))
    expect(hub.requests.at(-1)?.headers).not.toHaveProperty('x-tenant')
    expect(hub.requests.at(-1)?.headers).not.toHaveProperty('authorization')
  })
})

describe('credentials of the model', () => {
  const credentialsWith = async (secretRef: string | undefined, settings: Partial<AdapterSettings> = {}) => {
    const hub = await startHub()
    let seen: AdapterHost['credentials'] = {}
    const adapter = adapterOf(async (_, host) => {
      seen = host.credentials
      throw new AdapterFailure('echo', `the key is ${host.credentials.apiKey}`)
    })
    const auth = secretRef === undefined ? {} : { auth: { secret_ref: secretRef } }
    await runAdapter(adapter, await settingsFor(hub.url, { spec: { model: { url: 'http://m', name: 'm', ...auth } }, settings }))
    return { seen, events: JSON.stringify(hub.events) }
  }

  test('a local job names their folder, plainly or as a file URL; the key stays out of every event', async () => {
    const secret = join(folder, 'secret')
    await mkdir(secret)
    await writeFile(join(secret, 'api-key'), 'key-12345678\n')
    await writeFile(join(secret, 'ca_cert'), 'PEM')
    for (const ref of [secret, pathToFileURL(secret).href]) {
      const { seen, events } = await credentialsWith(ref)
      expect(seen).toEqual({ apiKey: 'key-12345678', caCertPath: join(secret, 'ca_cert') })
      expect(events).toContain('the key is [redacted]')
      expect(events).not.toContain('key-12345678')
    }
  })

  test('a pod reads where its Secret is mounted, whatever the job names, through Kubernetes’s own links', async () => {
    const mount = join(folder, 'mount')
    await mkdir(join(mount, '..2026'), { recursive: true })
    await writeFile(join(mount, '..2026', 'api-key'), 'api-key:ref')
    await symlink('..2026', join(mount, '..data'))
    await symlink('..data/api-key', join(mount, 'api-key'))
    const { seen } = await credentialsWith('/etc', { mode: 'k8s', modelSecretDir: mount, podDataDir: folder })
    expect(seen).toEqual({ apiKey: 'api-key:ref' })
  })

  test('a link to anywhere else is not followed', async () => {
    const secret = join(folder, 'secret')
    await mkdir(secret)
    await writeFile(join(folder, 'other'), 'not-for-the-model')
    await symlink('../other', join(secret, 'api-key'))
    expect((await credentialsWith(secret)).seen).toEqual({})
  })

  test('are read from nowhere else than the hub of a laptop allows', async () => {
    const secret = join(await realpath(folder), 'secret')
    await mkdir(secret)
    await writeFile(join(secret, 'api-key'), 'key-12345678')
    const seenWith = async (open: string) => (await credentialsWith(secret, { allowedPaths: { open: [open], closed: [] } })).seen
    expect(await seenWith('/elsewhere')).toEqual({})
    expect(await seenWith(secret)).toEqual({ apiKey: 'key-12345678' })
  })

  test('none is no error', async () => {
    expect((await credentialsWith('model-secret', { modelSecretDir: join(folder, 'nowhere') })).seen).toEqual({})
  })
})

// Guarantee: a run that is ended from outside says so, although its adapter is busy.
test('SIGTERM ends a real process with a failed event and exit code 1', async () => {
  const hub = await startHub()
  const { jobSpecPath } = await settingsFor(hub.url)
  const program = join(folder, 'main.ts')
  const from = (name: string) => JSON.stringify(join(import.meta.dirname, name))
  await writeFile(
    program,
    `import { readAdapterSettings } from ${from('config.ts')}
import { runAdapter } from ${from('run-adapter.ts')}
const busy = { id: 'p', run: (_, host) => new Promise(() => { host.phase('running_evaluation'); setInterval(() => {}, 1000) }) }
process.exit(await runAdapter(busy, readAdapterSettings()))
`,
  )
  await chmod(folder, 0o755)
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, EVALHUB_JOB_SPEC_PATH: jobSpecPath, EVALHUB_MODE: 'local' },
    stdio: 'ignore',
  })
  const exit = new Promise<number | null>((resolve) => child.on('exit', resolve))
  await vi.waitFor(() => expect(hub.events.at(-1)?.phase).toBe('running_evaluation'), { timeout: 15_000 })
  child.kill('SIGTERM')
  expect(await exit).toBe(1)
  expect(hub.events.at(-1)).toMatchObject({
    status: 'failed',
    error_message: { message_code: 'adapter_terminated', message: 'The adapter was ended by SIGTERM.' },
  })
})
