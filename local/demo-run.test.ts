import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { DemoConfig } from './demo-config.ts'
import { runDemo } from './demo-run.ts'
import type { Demo } from './demo-run.ts'
import { createScreen } from './terminal.ts'
import { startToyModel } from './toy-model.ts'
import type { ToyModel } from './toy-model.ts'

const KEY = 'sk-very-secret-key'

const statusOf = (status: string, more = {}) => ({ provider_id: 'builtin', id: 'sums', benchmark_index: 0, status, ...more })
const jobOf = (state: string, status: object, results = {}) => ({
  resource: { id: 'j-1', created_at: 't' },
  status: { state, message: { message: 'm', message_code: 'c' }, benchmarks: [status] },
  results,
  name: 'demo',
  model: { url: 'http://m', name: 'm' },
})

const pending = jobOf('pending', statusOf('pending'))
const running = jobOf('running', statusOf('running', { phase: 'running_evaluation', progress: 0.5 }))
const completed = jobOf('completed', statusOf('completed'), {
  benchmarks: [
    {
      id: 'sums',
      provider_id: 'builtin',
      benchmark_index: 0,
      test: { primary_score: 0.8, primary_score_metric: 'acc', threshold: 0.6, pass: true },
    },
  ],
  test: { score: 0.8, threshold: 0.7, pass: true },
})
const failed = jobOf('failed', statusOf('failed', { error_message: { message: 'http://m/v1 answers 401', message_code: 'x' } }))

/** What the hub answers to one look after the other; the last goes on. */
let looks: object[]
let submitted: { model: { name: string; auth?: { secret_ref: string } }; collection: object }[]
let whileSubmitting: () => void
let hubUrl: string
let toy: ToyModel

const collection = { resource: { id: 'starter-v1', created_at: 't', updated_at: 't' }, name: 'Starter', description: '', category: 'x' }
const hubApp = new Hono()
  .basePath('/api/v1/evaluations')
  .get('/collections', (c) => c.json({ first: { href: '' }, limit: 50, total_count: 1, items: [collection] }))
  .get('/collections/starter-v1', (c) => c.json({ ...collection, benchmarks: [{ id: 'sums', provider_id: 'builtin', weight: 2 }] }))
  .get('/collections/:id', (c) => c.json({ message_code: 'resource_not_found', message: 'no', trace: 't' }, 404))
  .post('/jobs', async (c) => {
    submitted.push(await c.req.json())
    whileSubmitting()
    return c.json(pending, 202)
  })
  .get('/jobs/j-1', (c) => c.json(looks.length > 1 ? looks.shift() : looks[0]))
const hubServer = createServer(getRequestListener(hubApp.fetch))

beforeAll(async () => {
  await new Promise<void>((resolve) => hubServer.listen(0, '127.0.0.1', resolve))
  hubUrl = `http://127.0.0.1:${(hubServer.address() as AddressInfo).port}`
  toy = await startToyModel({ pace: 0, items: [] })
})
afterAll(async () => {
  await toy.stop()
  hubServer.closeAllConnections()
  await new Promise((resolve) => hubServer.close(resolve))
})

let output: string
let dataDirs: string[]
let stops: number
let stopper: AbortController

beforeEach(() => {
  ;[output, dataDirs, stops, submitted, looks] = ['', [], 0, [], [pending, running, completed]]
  stopper = new AbortController()
  whileSubmitting = () => {}
})
const demo = (more: Partial<Demo> = {}): Demo => ({
  startHub: async ({ dataDir }) => {
    dataDirs.push(dataDir)
    expect(statSync(dirname(dataDir)).mode & 0o777).toBe(0o700)
    return { url: hubUrl, stop: async () => void stops++ }
  },
  screen: createScreen((text) => (output += text)),
  columns: () => 100,
  rows: () => 24,
  live: false,
  color: false,
  signal: stopper.signal,
  ...more,
})
const TOY: DemoConfig = { model: undefined, numExamples: undefined, collection: 'starter-v1' }
const realModel = (more: Partial<DemoConfig> = {}): DemoConfig => ({
  ...TOY,
  model: { url: toy.url, name: toy.name, apiKey: KEY },
  ...more,
})

/** Whatever the outcome, what was started is stopped and what was made is gone. */
async function run(config: DemoConfig, tools = demo()) {
  const outcome = await runDemo(config, tools)
  expect(stops).toBe(dataDirs.length)
  for (const dataDir of dataDirs) expect(existsSync(dirname(dataDir))).toBe(false)
  return outcome
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe('runDemo', () => {
  test('without a terminal says each step once, the scores, and that the toy is one', async () => {
    expect(await run(TOY)).toBe('done')

    expect(output).toContain('Model       a toy, evalhub-toy-model')
    expect(output).toContain('  sums: waiting\n  sums: running evaluation, 50 %\n  sums: done\n')
    expect(output).toMatch(/sums +0\.800 +– +≥ 0\.600 +pass +– +– +2/)
    expect(output).toContain('Overall score 0.800, threshold 0.700: pass')
    expect(output).toContain('They say nothing about any real model')
    expect(output).not.toContain('\u001b')
    expect(submitted).toMatchObject([{ model: { name: 'evalhub-toy-model' }, collection: { id: 'starter-v1' } }])
  })

  test('on a terminal redraws one line a benchmark', async () => {
    await run(TOY, demo({ live: true }))
    expect(output).toContain('0 %  waiting\n\u001b[1A\u001b[0J  sums')
    expect(output).toContain('100 %  done\n')
  })

  test('on a terminal that is too low for that goes on in plain lines', async () => {
    await run(TOY, demo({ live: true, rows: () => 1 }))
    expect(output).toContain('  sums: waiting\n')
  })

  test('limits the items of every benchmark', async () => {
    await run({ ...TOY, numExamples: 5 })
    expect(submitted[0]!.collection).toEqual({
      id: 'starter-v1',
      benchmarks: [{ id: 'sums', provider_id: 'builtin', parameters: { num_examples: 5 } }],
    })
  })

  // Guarantee: the key is in one file that nobody else can read, while the job runs and no longer.
  test('gives the key of a real model as a private file, removes it, and never prints it', async () => {
    const seen: { directory: string; modes: number[]; key: string }[] = []
    whileSubmitting = () => {
      const directory = submitted[0]!.model.auth!.secret_ref
      const file = join(directory, 'api-key')
      seen.push({ directory, modes: [directory, file].map((path) => statSync(path).mode & 0o777), key: readFileSync(file, 'utf8') })
    }

    expect(await run(realModel())).toBe('done')

    expect(seen).toEqual([{ directory: expect.any(String), modes: [0o700, 0o600], key: KEY }])
    expect(existsSync(seen[0]!.directory)).toBe(false)
    expect(output).not.toContain(KEY)
    expect(JSON.stringify(submitted)).not.toContain(KEY)
    expect(output).not.toContain('say nothing about any real model')
  })

  test('fails with the reason of the run', async () => {
    looks = [failed]
    expect(await run(realModel())).toBe('failed')
    expect(output).toContain('sums: failed: http://m/v1 answers 401')
    expect(output).not.toContain('What next')
  })

  test('fails in words, before it starts anything, if the model cannot be reached', async () => {
    const url = `http://127.0.0.1:${await closedPort()}/v1`
    const model = { url, name: 'm', apiKey: KEY }
    expect(await run({ ...TOY, model })).toBe('failed')
    expect(output).toMatch(new RegExp(`No model can be reached at ${url}: .*ECONNREFUSED.*\\. Is its server running`))
    expect(dataDirs).toEqual([])
  })

  test('fails with the collections that there are', async () => {
    expect(await run({ ...TOY, collection: 'nothing' })).toBe('failed')
    expect(output).toContain('There is no collection nothing. There are: starter-v1')
  })

  test('fails with the reason if the hub does not start', async () => {
    const startHub = async () => Promise.reject(new Error('no space left on device'))
    expect(await run(TOY, demo({ startHub }))).toBe('failed')
    expect(output).toContain('The demo failed: no space left on device')
  })

  test('fails with the reason if the hub breaks down', async () => {
    looks = [running]
    const startHub: Demo['startHub'] = async ({ dataDir, onLost }) => {
      dataDirs.push(dataDir)
      whileSubmitting = () => onLost(new Error('the database is gone'))
      return { url: hubUrl, stop: async () => void stops++ }
    }
    expect(await run(TOY, demo({ startHub }))).toBe('failed')
    expect(output).toContain('The demo failed: the database is gone')
  })

  test('removes the other things even if the hub does not stop in order, and says so', async () => {
    const startHub: Demo['startHub'] = async ({ dataDir }) => {
      dataDirs.push(dataDir)
      stops++
      return { url: hubUrl, stop: () => Promise.reject(new Error('stuck')) }
    }
    expect(await run(TOY, demo({ startHub }))).toBe('failed')
    expect(output).toContain('The demo failed: stuck')
  })

  test('stops at once and in order when it is told to', async () => {
    looks = [running]
    whileSubmitting = () => stopper.abort()
    expect(await run(realModel())).toBe('stopped')
    expect(output).toContain('Stopping …')
    expect(output).not.toContain('failed')
    expect(existsSync(submitted[0]!.model.auth!.secret_ref)).toBe(false)
  })
})
