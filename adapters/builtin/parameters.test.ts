import { describe, expect, test } from 'vitest'
import { GenerationParameters, MultipleChoiceParameters, PerformanceParameters, readParameters } from './parameters.ts'

describe('readParameters', () => {
  test('names what has no meaning here, and not what is the hub’s own', () => {
    const given = { tempature: 1, timeout_seconds: 60, num_examples: 3, seed: 4 }
    const { parameters, unknown } = readParameters(GenerationParameters, {}, given)
    expect(unknown).toEqual([{ name: 'tempature', nearest: 'temperature' }])
    expect(parameters.seed).toBe(4)
  })

  test('takes no parameter of another kind of benchmark for a misspelt one', () => {
    const { unknown } = readParameters(GenerationParameters, {}, { answer_fields: 'a', choices_field: 'c' })
    expect(unknown).toEqual([
      { name: 'answer_fields', nearest: 'answer_field' },
      { name: 'choices_field', nearest: undefined },
    ])
  })

  test('prefers a job’s value to the benchmark’s, and the default to null', () => {
    const { parameters } = readParameters(GenerationParameters, { scorer: 'numeric', max_tokens: 64 }, { max_tokens: 8, temperature: null })
    expect(parameters).toMatchObject({ scorer: 'numeric', max_tokens: 8, temperature: 0 })
  })

  test('knows lm-evaluation-harness’s word for few_shot, and a single stop text', () => {
    const { parameters, unknown } = readParameters(GenerationParameters, {}, { num_fewshot: 3, stop: '\n' })
    expect([parameters.few_shot, parameters.stop, unknown]).toEqual([3, ['\n'], []])
  })

  test.each([
    [GenerationParameters, { scorer: 'bleu' }, /^Parameter scorer is "bleu"; allowed: one of "exact_match"\|/],
    [GenerationParameters, { concurrency: 1000 }, 'Parameter concurrency is 1000; allowed: number to be <=256.'],
    [GenerationParameters, { few_shot: '3' }, 'Parameter few_shot is "3"; allowed: number.'],
    [GenerationParameters, { max_error_rate: 5 }, 'Parameter max_error_rate is 5; allowed: number to be <=1.'],
    [MultipleChoiceParameters, { method: 'x' }, 'Parameter method is "x"; allowed: one of "auto"|"logprobs"|"letter".'],
    [PerformanceParameters, { levels: [1, 0] }, 'Parameter levels.1 is 0; allowed: number to be >=1.'],
    [PerformanceParameters, { stream: false }, 'Parameter stream is false; allowed: true.'],
  ])('refuses a wrong value by name, value and what is allowed', (schema, given, message) => {
    expect(() => readParameters(schema, {}, given)).toThrow(message)
  })

  test('takes no inherited name for one of its own', () => {
    const given = JSON.parse('{"__proto__": {"seed": 9}, "constructor": 1}') as Record<string, unknown>
    const { parameters, unknown } = readParameters(GenerationParameters, {}, given)
    expect(parameters.seed).toBe(0)
    expect(unknown).toContainEqual({ name: 'constructor', nearest: undefined })
  })
})
