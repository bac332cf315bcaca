import { describe, expect, test } from 'vitest'
import { outcomeOf } from './outcome.ts'

describe('outcomeOf', () => {
  test.each([
    [{ code: 7, signal: null }, 'The adapter of benchmark b ended with exit code 7 before it reported results. Its last lines:\nboom'],
    [{ code: 0, signal: null }, 'The adapter of benchmark b ended without reporting results. Its last lines:\nboom'],
    [
      { code: null, signal: 'SIGKILL' as const },
      'The adapter of benchmark b was ended by SIGKILL before it reported results. Its last lines:\nboom',
    ],
  ])('tells %j in words', (exit, message) => {
    expect(outcomeOf(exit, 'boom\n', 'b')).toMatchObject({ failureClass: 'adapter_exit', message })
  })

  test('says so if the adapter wrote nothing', () => {
    expect(outcomeOf({ code: 1, signal: null }, ' \n', 'b').message).toMatch(/It wrote nothing\.$/)
  })

  test('has an exit code only where there is one', () => {
    expect(outcomeOf({ code: 7, signal: null }, '', 'b').exitCode).toBe(7)
    expect(outcomeOf({ code: null, signal: 'SIGTERM' }, '', 'b')).not.toHaveProperty('exitCode')
  })
})
