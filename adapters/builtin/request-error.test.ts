import { describe, expect, test } from 'vitest'
import { backoffMs, connectionError, isHopeless, isRetryable, RequestError, retryAfterMs } from './request-error.ts'

describe('retryAfterMs', () => {
  const now = Date.parse('2026-11-22T10:00:00Z')
  test.each([
    ['2', 2000],
    ['0.5', 500],
    ['Sun, 22 Nov 2026 10:00:05 GMT', 5000],
    ['Sun, 22 Nov 2026 09:00:00 GMT', 0],
    ['86400', 60_000],
    ['soon', undefined],
    [undefined, undefined],
  ])('of %j is %j', (header, expected) => {
    expect(retryAfterMs(header, now)).toBe(expected)
  })
})

describe('backoffMs', () => {
  test.each([
    [0, 0, undefined, 250],
    [0, 1, undefined, 500],
    [3, 1, undefined, 4000],
    [30, 1, undefined, 30_000],
    [0, 0, 5000, 5000],
    [5, 1, 1, 16_000],
  ])('before repetition %i, by chance %f, asked for %j, is %i ms', (attempt, random, asked, expected) => {
    expect(backoffMs(attempt, { firstMs: 500, random, retryAfterMs: asked })).toBe(expected)
  })
})

test.each([
  ['busy', 500, true, false],
  ['timeout', undefined, true, false],
  ['unreachable', undefined, true, true],
  ['dropped', undefined, true, false],
  ['rejected', 400, false, false],
  ['rejected', 401, false, true],
  ['rejected', 404, false, true],
  ['malformed', undefined, false, false],
] as const)('%s (status %j): repeated %j, hopeless %j', (kind, status, retryable, hopeless) => {
  const error = new RequestError(kind, 'x', { status })
  expect([isRetryable(error), isHopeless(error)]).toEqual([retryable, hopeless])
})

test('a socket’s error is said in words', () => {
  const refused = connectionError(Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' }))
  expect([refused.kind, refused.message]).toEqual(['unreachable', 'refused the connection'])
  const reset = connectionError(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }))
  expect([reset.kind, reset.message]).toEqual(['dropped', 'closed the connection before the answer was complete (ECONNRESET)'])
})
