import { expect, test, vi } from 'vitest'
import { withoutModelUsage } from './model-usage.ts'

test.each(['model_usage', 'MODEL_USAGE', 'modelUsage', 'model-usage', ' model__usage\u200b', 'ｍｏｄｅｌ＿ｕｓａｇｅ', 'model_u\u017fage'])(
  '%j is a name of the usage',
  (name) => {
    expect(withoutModelUsage({ [name]: 1, own: 2 })).toEqual({ own: 2 })
  },
)

test.each(['usage', 'model_usages', 'my_model_usage', 'statistics', '', '__proto__'])('%j is none, and stays', (name) => {
  const info: Record<string, unknown> = JSON.parse(`{${JSON.stringify(name)}:{"model_usage":1}}`)
  expect(JSON.stringify(withoutModelUsage(info))).toBe(JSON.stringify(info))
})

// Guarantee: no name takes long to read. Unicode puts the marks of one letter into an order, which takes the square of their number.
test('marks on its letters are no part of a name, however many they are', () => {
  const normalize = vi.spyOn(String.prototype, 'normalize')
  expect(withoutModelUsage({ [`model_usage${'\u0301\u0316'.repeat(2000)}`]: 1, [`usage${'\u0301\u0316'.repeat(2000)}`]: 2 })).toEqual({
    [`usage${'\u0301\u0316'.repeat(2000)}`]: 2,
  })
  expect(normalize.mock.contexts.map(String)).toEqual(['model_usage', 'usage'])
})
