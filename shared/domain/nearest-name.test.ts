import { describe, expect, test } from 'vitest'
import { nearestName } from './nearest-name.ts'

const NAMES = ['max_tokens', 'few_shot', 'max_retries', 'temperature', 'request_timeout_seconds', 'seed', 'stop']

describe('nearestName', () => {
  test.each([
    ['max_tokesn', 'max_tokens'],
    ['maxTokens', 'max_tokens'],
    ['max-token', 'max_tokens'],
    ['fewshot', 'few_shot'],
    ['few_shots', 'few_shot'],
    ['temp', 'temperature'],
    ['retries', 'max_retries'],
    ['max_retry', 'max_retries'],
    ['request_timeout', 'request_timeout_seconds'],
    ['sede', 'seed'],
    ['colour', undefined],
    ['x', undefined],
    ['', undefined],
    ['s', undefined],
  ])('of %j is %j', (given, name) => {
    expect(nearestName(given, NAMES)).toBe(name)
  })

  test('of a name of a megabyte is none, at once', () => {
    expect(nearestName('t'.repeat(1_000_000), NAMES)).toBeUndefined()
  })

  test('of no names is none', () => {
    expect(nearestName('seed', [])).toBeUndefined()
  })
})
