import { describe, expect, test } from 'vitest'
import { askedIn, toyAnswer, toyErrs } from './toy-answers.ts'
import { loadToyItems } from './toy-items.ts'

describe('the shipped data sets', () => {
  const shipped = loadToyItems()
  const datasets = [...new Set(shipped.map(({ dataset }) => dataset))]

  // Guarantee: the demo shows an error, and no benchmark fails for passing the default limit of 1 % errors.
  test('meet the set error rate with at least one error in all and at most 1 % in each', () => {
    expect(shipped.filter((item) => toyErrs(item)).length).toBeGreaterThan(0)
    for (const dataset of datasets) {
      const own = shipped.filter((item) => item.dataset === dataset)
      expect(own.filter((item) => toyErrs(item)).length).toBeLessThanOrEqual(own.length / 100)
    }
  })

  test.each(datasets)('are known to the toy: each question of %s in a prompt leads to the answer that toyAnswer gives', (dataset) => {
    for (const item of shipped.filter((each) => each.dataset === dataset)) {
      const asked = askedIn(shipped, `Answer.\n${item.question}\nAnswer:`)
      expect(asked && toyAnswer(asked.item)).toBe(toyAnswer(item))
    }
  })
})
