import { describe, expect, test } from 'vitest'
import { addError, describeErrors, describeFailures, emptyTally, isHopelessRun, isTooMany, itemsOf } from './error-tally.ts'
import { SlowPattern } from './pattern.ts'
import { RequestError } from './request-error.ts'

const URL = 'http://model/v1/chat/completions'
const busy = new RequestError('busy', 'answered 500: overloaded', { status: 500 })
const refused = new RequestError('unreachable', 'refused the connection')

describe('describeErrors', () => {
  test('names the counts, the URL and the most common cause first', () => {
    const tally = emptyTally(20)
    for (const error of [refused, busy, busy, new SlowPattern('the pattern took longer than 250 ms')]) addError(tally, error, URL)
    expect(describeErrors(tally)).toBe(
      `4 of 20 items have no score: ${URL} answered 500: overloaded (2 times); ${URL} refused the connection (once); the pattern took longer than 250 ms (once)`,
    )
  })
})

test.each([
  [1, 1, '1 of 1 item has no score'],
  [1, 3, '1 of 3 items has no score'],
  [2, 3, '2 of 3 items have no score'],
])('%i of %i reads well', (failed, planned, words) => {
  const tally = emptyTally(planned)
  for (let error = 0; error < failed; error++) addError(tally, refused, URL)
  expect(describeErrors(tally)).toContain(words)
  expect(describeFailures(tally)).toContain(`${failed} of ${planned} request${planned === 1 ? '' : 's'} failed: `)
  expect([0, 1, 2].map(itemsOf)).toEqual(['0 items', '1 item', '2 items'])
})

describe('isTooMany', () => {
  test.each([
    [100, 1, 0.01, false],
    [100, 2, 0.01, true],
    [100, 7, 0.07, false],
    [20, 1, 0.01, true],
    [20, 20, 1, false],
    [20, 1, 0, true],
    [0, 0, 0, false],
  ])('of %i items, %i without a score, with %f allowed: %j', (planned, failed, allowed, expected) => {
    expect(isTooMany({ ...emptyTally(planned), failed }, allowed)).toBe(expected)
  })
})

describe('isHopelessRun', () => {
  test.each([
    ['the first five refused', { scored: 0, failed: 5, hopeless: 5 }, 2, true],
    ['four of them', { scored: 0, failed: 4, hopeless: 4 }, 2, false],
    ['as many as are under way', { scored: 0, failed: 8, hopeless: 8 }, 8, true],
    ['five with eight under way', { scored: 0, failed: 5, hopeless: 5 }, 8, false],
    ['one that passed', { scored: 1, failed: 9, hopeless: 9 }, 2, false],
    ['one that was busy', { scored: 0, failed: 9, hopeless: 8 }, 2, false],
  ])('%s', (_, counts, concurrency, expected) => {
    expect(isHopelessRun({ ...emptyTally(10_000), ...counts }, concurrency)).toBe(expected)
  })

  test('a short run needs no more failures than it has items', () => {
    expect(isHopelessRun({ ...emptyTally(2), failed: 2, hopeless: 2 }, 8)).toBe(true)
  })
})
