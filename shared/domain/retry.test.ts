import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FAILURE_CLASSES, faultOf, type FailureClass } from './failure-class.ts'
import { retryAfter } from './retry.ts'

const times = (count: number, failure: FailureClass) => Array.from({ length: count }, () => failure)

describe('retryAfter', () => {
  test.each<[FailureClass[], number]>([
    [['evicted'], 10],
    [['evicted', 'evicted'], 20],
    [['evicted', 'preempted', 'node_lost'], 40],
    [['vanished', 'sidecar_failed', 'evicted', 'node_lost'], 80],
    [times(5, 'preempted'), 160],
    [['oom'], 0],
    [['oom', 'oom'], 0],
    [['oom', 'evicted'], 10],
    [[...times(5, 'evicted'), 'oom'], 0],
    [['hub_restarted'], 0],
    [times(20, 'hub_restarted'), 0],
  ])('tries again after %j, in %i s', (failures, afterSeconds) => {
    expect(retryAfter(failures)).toEqual({ again: true, afterSeconds })
  })

  test.each<[FailureClass[], string]>([
    [times(6, 'evicted'), 'It was tried 6 times in all.'],
    [['evicted', 'preempted', 'oom', 'node_lost', 'vanished', 'sidecar_failed', 'evicted'], 'It was tried 7 times in all.'],
    [times(3, 'oom'), 'It was tried 3 times in all.'],
    [times(21, 'hub_restarted'), 'It was tried 21 times in all.'],
  ])('gives up after %j and says how often it tried', (failures, note) => {
    expect(retryAfter(failures)).toEqual({ again: false, note })
  })

  test.each(FAILURE_CLASSES.filter((failure) => failure !== 'oom' && faultOf(failure) !== 'infrastructure').map((failure) => [failure]))(
    '%s would fail again',
    (failure) => {
      expect(retryAfter([failure])).toEqual({ again: false })
    },
  )

  // Whatever fails in whatever order, a run ends.
  test('has a bound', () => {
    const history = fc.array(fc.constantFrom(...FAILURE_CLASSES), { minLength: 28, maxLength: 40 })
    fc.assert(
      fc.property(history, (failures) => {
        expect(failures.some((_, at) => !retryAfter(failures.slice(0, at + 1)).again)).toBe(true)
      }),
    )
  })
})
