import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RUN_STATES, type EvaluationState, type RunState } from '../models/states.ts'
import { deriveState, messageFor } from './evaluation-state.ts'

const idle = { cancelled: false, started: false }

describe('deriveState', () => {
  test.each<[RunState[], EvaluationState]>([
    [['pending', 'pending'], 'pending'],
    [['running', 'pending'], 'running'],
    [['completed', 'pending'], 'running'],
    [['completed', 'running'], 'running'],
    [['completed', 'completed'], 'completed'],
    [['failed', 'failed'], 'failed'],
    [['completed', 'failed'], 'partially_failed'],
    [['cancelled', 'cancelled'], 'cancelled'],
    [['completed', 'cancelled'], 'partially_failed'],
    [['failed', 'cancelled'], 'partially_failed'],
  ])('%j is %s', (runs, state) => {
    expect(deriveState(runs, idle)).toBe(state)
  })

  test('a cancelled job is cancelled, and one that started is never pending again', () => {
    expect(deriveState(['completed', 'cancelled'], { cancelled: true, started: true })).toBe('cancelled')
    expect(deriveState(['pending'], { cancelled: false, started: true })).toBe('running')
  })

  test('does not depend on the order of the runs', () => {
    const states = fc.array(fc.constantFrom(...RUN_STATES), { minLength: 1, maxLength: 6 })
    fc.assert(fc.property(states, (runs) => deriveState(runs, idle) === deriveState(runs.toReversed(), idle)))
  })
})

describe('messageFor', () => {
  const failed = { benchmark_id: 'b', state: 'failed' as const, error_message: { message: 'why', message_code: 'c' } }
  const cancelled = { benchmark_id: 'c', state: 'cancelled' as const, error_message: null }
  test.each([
    ['completed', [], 'Evaluation job is completed'],
    ['failed', [failed], 'Evaluation job is failed. \nBenchmark b failed with message: why\n'],
    ['partially_failed', [failed], 'Some of the benchmarks failed. \nBenchmark b failed with message: why\n'],
    ['partially_failed', [failed, cancelled], 'Some of the benchmarks failed or cancelled. \nBenchmark b failed with message: why\n'],
    ['cancelled', [cancelled], 'Evaluation job cancelled'],
  ] as const)('%s says what failed, as the contract words it', (state, runs, message) => {
    expect(messageFor(state, runs).message).toBe(message)
  })
})
