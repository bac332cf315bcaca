import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { Registry } from 'prom-client'
import { expect, onTestFinished, test, vi } from 'vitest'
import { healthOf, notePasses, serveHealth, type Passes } from './health.ts'

const S = 1000
const MIN = 60 * S

const passes = (completedMs?: number, endedMs = completedMs): Passes => ({
  startedAtMs: 0,
  completedAtMs: completedMs === undefined ? {} : { launching: completedMs, observing: completedMs },
  endedAtMs: endedMs === undefined ? {} : { launching: endedMs, observing: endedMs },
})

test.each<[string, Passes, number, ReturnType<typeof healthOf>]>([
  ['at its start', passes(), 1 * S, { isAlive: true, isReady: false, secondsSincePass: null }],
  ['that never had a pass', passes(), 6 * MIN, { isAlive: false, isReady: false, secondsSincePass: null }],
  ['whose passes succeed', passes(9 * S), 10 * S, { isAlive: true, isReady: true, secondsSincePass: 1 }],
  ['whose database is away', passes(0, 10 * MIN), 10 * MIN, { isAlive: true, isReady: false, secondsSincePass: 600 }],
  ['that stands still', passes(0), 5 * MIN, { isAlive: false, isReady: false, secondsSincePass: 300 }],
  [
    'of which one loop stands still',
    { ...passes(10 * MIN), endedAtMs: { launching: 10 * MIN, observing: 0 }, completedAtMs: { launching: 10 * MIN } },
    10 * MIN,
    { isAlive: false, isReady: false, secondsSincePass: null },
  ],
  [
    'that waits for its migration',
    { ...passes(), waitsFor: 'The database lacks 2 of the 11 migrations.' },
    6 * MIN,
    { isAlive: true, isReady: false, secondsSincePass: null },
  ],
])('a bridge %s', (_, ended, nowMs, health) => {
  expect(healthOf(ended, nowMs)).toEqual(health)
})

test('a pass that failed has ended and is not complete', () => {
  const noted = passes()
  const note = notePasses(noted, () => 7)
  note('launching', true)
  note('observing', false)
  expect(noted).toEqual({ startedAtMs: 0, completedAtMs: { launching: 7 }, endedAtMs: { launching: 7, observing: 7 } })
})

// Guarantee: whoever asks why a bridge is not ready is told what it waits for.
test('a bridge that waits says for what, and is neither ready nor to be restarted', async () => {
  const waitsFor = 'The database lacks 2 of the 11 migrations.'
  const options = { host: '127.0.0.1', port: 0, registry: new Registry(), refresh: async () => undefined }
  const server = await serveHealth({ ...options, passes: { ...passes(), waitsFor } })
  onTestFinished(server.close)
  const ask = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`)
    return { status: response.status, body: await response.json() }
  }
  const body = { status: 'waiting', seconds_since_pass: null, waits_for: waitsFor }
  expect(await ask('/readyz')).toEqual({ status: 503, body })
  expect(await ask('/healthz')).toEqual({ status: 200, body })
})

/** Its server, whose metrics are there when they are told to be. */
async function slowMetrics() {
  const [registry, readings] = [new Registry(), [] as (() => void)[]]
  const refresh = () => new Promise<void>((resolve) => void readings.push(resolve))
  const server = await serveHealth({ host: '127.0.0.1', port: 0, passes: passes(performance.now()), registry, refresh })
  const ask = async (path: string) => {
    const [answer] = (await once(get({ host: '127.0.0.1', port: server.port, path, agent: false }), 'response')) as [IncomingMessage]
    await text(answer)
    return answer
  }
  return { ...server, readings, ask }
}

test.each(['Host: h\r\n', '', 'Host: h\r\nExpect: x\r\n'])(
  'what is sent on one connection at once begins one reading of the metrics, and others are answered (%j)',
  async (headers) => {
    const { port, readings, ask, close } = await slowMetrics()
    const socket = connect(port, '127.0.0.1')
    socket.write('GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n' + `GET /metrics HTTP/1.1\r\n${headers}\r\n`.repeat(1000))
    expect(await text(socket).catch(() => '')).toBe('')
    expect(readings).toHaveLength(1)
    expect((await ask('/healthz')).statusCode).toBe(200)
    await close()
  },
)

// Guarantee: however many scrape, the metrics are read once at a time, and probes are answered.
test('scrapes at once share one reading, those beyond 32 are told to come again, and probes are answered', async () => {
  const { readings, ask, close } = await slowMetrics()
  const scrapes = Array.from({ length: 40 }, () => ask('/metrics'))
  const first = await Promise.race(scrapes)
  expect([first.statusCode, first.headers['retry-after']]).toEqual([503, '2'])
  expect((await ask('/healthz')).statusCode).toBe(200)
  await vi.waitFor(() => expect(readings).toHaveLength(1))
  readings[0]?.()
  const statuses = (await Promise.all(scrapes)).map(({ statusCode }) => statusCode)
  expect(statuses.filter((status) => status === 200)).toHaveLength(32)
  const later = ask('/metrics')
  await vi.waitFor(() => expect(readings).toHaveLength(2))
  readings[1]?.()
  expect((await later).statusCode).toBe(200)
  await close()
})
