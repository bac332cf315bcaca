import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { attemptOf, HUB_LABEL, labelsFor, labelValue } from './labels.ts'
import { attemptFor, settings } from './test-attempt.ts'

describe('labelValue', () => {
  test.each([
    ['IFEval', 'ifeval'],
    ['a/b c:d', 'a-b-c-d'],
    ['_.-a.b_c-._', 'a.b_c'],
    ['', 'x'],
    ['日本語', 'x'],
    ['a'.repeat(62) + '-b', 'a'.repeat(62)],
  ])('of "%s" is %s', (text, expected) => {
    expect(labelValue(text)).toBe(expected)
  })

  test('is one that Kubernetes accepts, for any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'grapheme' })), (text) => {
        expect(labelValue(text)).toMatch(/^[a-z0-9]([a-z0-9\-_.]{0,61}[a-z0-9])?$/)
      }),
    )
  })
})

describe('attemptOf', () => {
  test('reads from the labels which attempt they were made for', () => {
    const attempt = attemptFor({ benchmarkIndex: 12, attempt: 3 })

    expect(attemptOf(labelsFor(attempt, settings), settings.hubId)).toEqual({
      evaluationId: attempt.evaluationId,
      benchmarkIndex: 12,
      attempt: 3,
    })
  })

  test.each([
    ['of another hub', { [HUB_LABEL]: 'another' }],
    ['without a hub', { [HUB_LABEL]: '' }],
    ['whose index is no number', { benchmark_index: 'first' }],
  ])('knows no attempt from labels %s', (_which, changed) => {
    expect(attemptOf({ ...labelsFor(attemptFor(), settings), ...changed }, settings.hubId)).toBeUndefined()
  })

  test('knows no attempt from no labels', () => {
    expect(attemptOf(undefined, settings.hubId)).toBeUndefined()
    expect(attemptOf({}, settings.hubId)).toBeUndefined()
  })
})
