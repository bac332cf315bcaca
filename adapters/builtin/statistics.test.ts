import { describe, expect, test } from 'vitest'
import { mean, measureStatistics, percentile, scoreStatistics, standardError, tInterval, tQuantile, wilsonInterval } from './statistics.ts'

describe('wilsonInterval', () => {
  // Source: Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
  test.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('%i of %i is published as %f to %f', (successes, n, low, high) => {
    const interval = wilsonInterval(successes, n)
    expect(interval[0]).toBeCloseTo(low, 4)
    expect(interval[1]).toBeCloseTo(high, 4)
  })

  test('never leaves 0 to 1, not even by rounding', () => {
    for (let n = 1; n < 500; n++) {
      expect(wilsonInterval(0, n)[0]).toBe(0)
      expect(wilsonInterval(n, n)[1]).toBe(1)
    }
  })
})

describe('tQuantile', () => {
  // Source: the usual printed table, two-sided 95 %.
  test.each([
    [1, 12.706],
    [2, 4.303],
    [5, 2.571],
    [10, 2.228],
    [11, 2.201],
    [15, 2.131],
    [19, 2.093],
    [30, 2.042],
    [60, 2.0],
    [120, 1.98],
    [1_000_000, 1.96],
  ])('%i degrees of freedom give %f', (degrees, expected) => {
    expect(tQuantile(degrees)).toBeCloseTo(expected, 3)
  })
})

describe('the mean', () => {
  test('of five known values has the known error and interval', () => {
    const values = [2, 4, 4, 6, 9] // deviation √7, by hand
    expect(mean(values)).toBe(5)
    expect(standardError(values)).toBeCloseTo(Math.sqrt(7 / 5), 12)
    expect(tInterval(values)?.[0]).toBeCloseTo(5 - 2.776445 * Math.sqrt(7 / 5), 6)
    expect(tInterval(values)?.[1]).toBeCloseTo(5 + 2.776445 * Math.sqrt(7 / 5), 6)
  })

  test('of a single value has no error, since one value says nothing about spread', () => {
    expect(standardError([3])).toBeUndefined()
    expect(tInterval([3])).toBeUndefined()
  })
})

describe('percentile', () => {
  test.each([
    [[1, 2, 3, 4], 0.5, 2.5],
    [[4, 1, 3, 2], 0.9, 3.7],
    [[10], 0.99, 10],
    [[1, 2, 3, 4, 5], 0, 1],
    [[1, 2, 3, 4, 5], 1, 5],
  ])('of %j at %f is %f', (values, share, expected) => {
    expect(percentile(values, share)).toBeCloseTo(expected, 12)
  })
})

describe('scoreStatistics', () => {
  test('counts a failed item in no mean, and bounds what it could have changed', () => {
    expect(scoreStatistics([1, 1, 0], { planned: 5, failed: 2 })).toEqual({
      n: 3,
      planned: 5,
      scored: 3,
      failed: 2,
      stderr: expect.closeTo(1 / 3, 12),
      ci95: wilsonInterval(2, 3),
      bounds: [2 / 5, 4 / 5],
    })
  })

  test('of scores between 0 and 1 has an interval that ends at 0 and 1', () => {
    expect(scoreStatistics([0.9, 1, 0.2], { planned: 3, failed: 0 }).ci95).toEqual([0, 1])
  })

  test('without any score claims nothing but the bounds', () => {
    expect(scoreStatistics([], { planned: 2, failed: 2 })).toEqual({ n: 0, planned: 2, scored: 0, failed: 2, bounds: [0, 1] })
  })
})

test('measured values have no bounds, since a request without an answer could have taken any time', () => {
  expect(measureStatistics([1, 3], { planned: 3, failed: 1 })).toEqual({
    n: 2,
    planned: 3,
    scored: 2,
    failed: 1,
    stderr: 1,
    ci95: [2 - 12.706205, 2 + 12.706205],
  })
})
