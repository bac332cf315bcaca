import { describe, expect, test } from 'vitest'
import { retryAfterMs, retryDelayMs } from './request.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')

describe('retryAfterMs', () => {
  test.each([
    ['2', 2000],
    [' 0 ', 0],
    ['Thu, 01 Jan 2026 00:00:05 GMT', 5000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    [null, undefined],
  ])('%j asks for %j ms', (header, ms) => {
    expect(retryAfterMs(header, NOW)).toBe(ms)
  })
})

describe('retryDelayMs', () => {
  test.each([
    { tried: 1, random: 0, delay: 500 },
    { tried: 2, random: 0, delay: 1000 },
    { tried: 2, random: 1, delay: 500 },
    { tried: 9, random: 0, delay: 8000 },
    { tried: 10, random: 0, delay: undefined },
    { tried: 1, random: 0, retryAfter: 30_000, delay: 30_000 },
    { tried: 1, random: 0, retryAfter: 60_001, delay: undefined },
  ])('$tried tries, Retry-After $retryAfter: $delay ms', ({ tried, retryAfter, random, delay }) => {
    expect(retryDelayMs(tried, 9, retryAfter, random)).toBe(delay)
  })
})
