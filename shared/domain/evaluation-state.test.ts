import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isTerminal, RUN_STATES, type EvaluationState, type RunState } from '../models/states.ts'
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

  const states = fc.array(fc.constantFrom(...RUN_STATES), { minLength: 1, maxLength: 6 })

  test('gives every job the state of the contract’s table, in whatever order its runs are', () => {
    fc.assert(
      fc.property(states, (runs) => {
        expect(deriveState(runs, idle)).toBe(byTheTable(runs))
        expect(deriveState(runs.toSorted(), idle)).toBe(byTheTable(runs))
      }),
    )
  })

  test('is over for a job that was not cancelled exactly when all its runs are', () => {
    fc.assert(
      fc.property(states, fc.boolean(), (runs, started) => {
        expect(isTerminal(deriveState(runs, { cancelled: false, started }))).toBe(runs.every(isTerminal))
      }),
    )
  })
})

/** Rules 1 to 7 of section 3.3 of the contract, counted as they are written there. */
function byTheTable(runs: readonly RunState[]): EvaluationState {
  const [completed, failed, cancelled, running] = (['completed', 'failed', 'cancelled', 'running'] as const).map(
    (state) => runs.filter((run) => run === state).length,
  ) as [number, number, number, number]
  if (completed === runs.length) return 'completed'
  if (failed === runs.length) return 'failed'
  if (completed + failed === runs.length) return 'partially_failed'
  if (cancelled === runs.length) return 'cancelled'
  if (completed + failed + cancelled === runs.length) return 'partially_failed'
  return running + completed + failed + cancelled > 0 ? 'running' : 'pending'
}

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
