import { Registry } from 'prom-client'
import { expect, onTestFinished, test } from 'vitest'
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
