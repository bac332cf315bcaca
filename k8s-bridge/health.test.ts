import { expect, test } from 'vitest'
import { healthOf } from './health.ts'

const S = 1000
const MIN = 60 * S

test.each([
  ['at its start', { startedAtMs: 0 }, 1 * S, { isAlive: true, isReady: false, secondsSincePass: null }],
  ['that never had a pass', { startedAtMs: 0 }, 6 * MIN, { isAlive: false, isReady: false, secondsSincePass: null }],
  [
    'whose passes succeed',
    { startedAtMs: 0, completedAtMs: 9 * S, endedAtMs: 9 * S },
    10 * S,
    { isAlive: true, isReady: true, secondsSincePass: 1 },
  ],
  [
    'whose database is away',
    { startedAtMs: 0, completedAtMs: 0, endedAtMs: 10 * MIN },
    10 * MIN,
    { isAlive: true, isReady: false, secondsSincePass: 600 },
  ],
  [
    'that stands still',
    { startedAtMs: 0, completedAtMs: 0, endedAtMs: 0 },
    5 * MIN,
    { isAlive: false, isReady: false, secondsSincePass: 300 },
  ],
])('a bridge %s', (_, passes, nowMs, health) => {
  expect(healthOf([passes, { startedAtMs: 0, completedAtMs: nowMs, endedAtMs: nowMs }], nowMs)).toEqual(health)
})
