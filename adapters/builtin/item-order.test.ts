import { describe, expect, test } from 'vitest'
import { chooseItems } from './item-order.ts'
import { createRandom, seedFrom, shuffled } from './random.ts'

const items = Array.from({ length: 50 }, (_, index) => index)

describe('chooseItems', () => {
  test('never scores what it shows as an example', () => {
    const { scored, examples } = chooseItems(items, { seed: 1, fewShot: 5, numExamples: undefined })
    expect([...scored, ...examples].toSorted((a, b) => a - b)).toEqual(items)
    expect(examples).toHaveLength(5)
  })

  test('scores the same first items whatever the number of examples', () => {
    const without = chooseItems(items, { seed: 1, fewShot: 0, numExamples: 10 })
    const withShots = chooseItems(items, { seed: 1, fewShot: 8, numExamples: 10 })
    expect(withShots.scored).toEqual(without.scored)
  })

  test('repeats an order for a seed, and has another for another', () => {
    const order = (seed: number) => chooseItems(items, { seed, fewShot: 0, numExamples: undefined }).scored
    expect(order(7)).toEqual(order(7))
    expect(order(7)).not.toEqual(order(8))
    expect(order(7)).not.toEqual(items)
  })

  test.each([
    [{ seed: 0, fewShot: 50, numExamples: undefined }, 'few_shot is 50; allowed: less than the 50 rows'],
    [{ seed: 0, fewShot: 0, numExamples: 0 }, 'num_examples is 0; allowed: 1 or more'],
  ])('refuses %j', (choice, message) => {
    expect(() => chooseItems(items, choice)).toThrow(message)
  })
})

test('random numbers are spread over 0 to 1 and the same everywhere', () => {
  const random = createRandom(seedFrom('evalhub'))
  const numbers = Array.from({ length: 10_000 }, random)
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...numbers)).toBeLessThan(1)
  expect(numbers.reduce((sum, number) => sum + number, 0) / numbers.length).toBeCloseTo(0.5, 1)
  expect(createRandom(1)()).toBeCloseTo(0.6270739405881613, 12)
})

test('every item comes first about equally often', () => {
  const counts = new Map<number, number>()
  for (let seed = 0; seed < 4000; seed++) {
    const [first = -1] = shuffled([0, 1, 2, 3], createRandom(seedFrom(`item-${seed}`)))
    counts.set(first, (counts.get(first) ?? 0) + 1)
  }
  for (const index of [0, 1, 2, 3]) expect(Math.abs((counts.get(index) ?? 0) - 1000)).toBeLessThan(150)
})
