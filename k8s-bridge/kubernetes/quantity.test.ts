import { describe, expect, test } from 'vitest'
import { grown, readQuantity } from './quantity.ts'

describe('readQuantity', () => {
  test.each([
    ['1', 1],
    ['250m', 0.25],
    ['1.5', 1.5],
    ['.5', 0.5],
    ['2Gi', 2 * 2 ** 30],
    ['2G', 2e9],
    ['1e3', 1000],
    ['12E', 12e18],
    ['128974848', 128974848],
    ['+1', 1],
  ])('%s is %d', (text, number) => {
    expect(readQuantity(text)).toBe(number)
  })

  test.each(['', 'much', '1 Gi', '2GB', '-1', '1m2', '1,5', '1e', 'Gi', '1KI'])('refuses "%s"', (text) => {
    expect(readQuantity(text)).toBeUndefined()
  })
})

describe('grown', () => {
  test.each([
    ['1Gi', 1, '4Gi', '1Gi'],
    ['1Gi', 1.5, '4Gi', '1536Mi'],
    ['1G', 1.5, '4Gi', '1431Mi'],
    ['3Gi', 1.5, '4Gi', '4Gi'],
    ['4Gi', 1.5, '4Gi', '4Gi'],
    ['8Gi', 1.5, '4Gi', '8Gi'],
    ['100', 1.5, '4Gi', '1Mi'],
  ])('%s by %d up to %s is %s', (quantity, factor, max, expected) => {
    expect(grown(quantity, factor, max)).toBe(expected)
  })
})
