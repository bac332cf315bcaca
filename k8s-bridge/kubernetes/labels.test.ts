import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { attemptOf, HUB_LABEL, isOfHub, labelsFor, labelValue } from './labels.ts'
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

    expect(attemptOf(labelsFor(attempt, settings))).toEqual({
      evaluationId: attempt.evaluationId,
      benchmarkIndex: 12,
      attempt: 3,
    })
  })

  test.each([
    ['without an evaluation', { job_id: '' }],
    ['whose index is no number', { benchmark_index: 'first' }],
    ['whose attempt is no number', { 'eval-hub.github.io/attempt': 'x' }],
  ])('knows no attempt from labels %s', (_which, changed) => {
    expect(attemptOf({ ...labelsFor(attemptFor(), settings), ...changed })).toBeUndefined()
  })

  test('knows no attempt from no labels', () => {
    expect(attemptOf(undefined)).toBeUndefined()
    expect(attemptOf({})).toBeUndefined()
  })
})

test('isOfHub is true for the labels of this hub, and for no others', () => {
  const labels = labelsFor(attemptFor(), settings)

  expect(isOfHub(labels, settings.hubId)).toBe(true)
  for (const others of [{ ...labels, [HUB_LABEL]: 'another' }, { ...labels, [HUB_LABEL]: '' }, {}, undefined]) {
    expect(isOfHub(others, settings.hubId)).toBe(false)
  }
})
