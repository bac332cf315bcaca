import { describe, expect, test } from 'vitest'
import { aggregate, findMetric, leftOut, missingMetric, testFor } from './score.ts'

/** Source: the names that LightEval 0.13 and lm-evaluation-harness 0.4.13 write. */
describe('findMetric', () => {
  test.each<[Record<string, unknown>, string, number | undefined]>([
    [{ acc: 0.5 }, 'acc', 0.5],
    [{ acc: 0 }, 'acc', 0],
    [{ acc: '0.5' }, 'acc', undefined],
    [{ acc: true }, 'acc', undefined],
    [{ 'arc.acc': 0.5 }, 'acc', 0.5],
    [{ 'acc,none': 0.5, 'acc_stderr,none': 0.1 }, 'acc', 0.5],
    [{ 'acc,none': 0.5, 'acc,strict': 0.6 }, 'acc', 0.5],
    [{ 'acc,first': 0.5, 'acc,strict': 0.6 }, 'acc', undefined],
    [{ 'arc:easy.acc': 0.5, 'arc:hard.acc': 0.7, 'all.acc': 0.6 }, 'acc', 0.5],
    [{ 'mmlu:a.acc': 0.5, 'mmlu:b.acc': 0.7, 'all.acc': 0.6 }, 'acc', 0.6],
    [{ 'mmlu:a.acc': 0.5, 'all.acc': 0.6 }, 'acc', 0.5],
    [{ 'mmlu:a.acc': 0.5, 'mmlu:b.acc': 0.7 }, 'acc', undefined],
    [{ 'mmlu.acc,none': 0.5, 'mmlu.acc_stderr,none': 0.1 }, 'acc', 0.5],
    [{ 'all.acc': 0.6 }, 'acc', 0.6],
    [{ 'arc.acc': 'high', 'all.acc': 0.6 }, 'acc', 0.6],
    [{ 'lcb.codegen_pass@1': 0.25 }, 'codegen_pass@1', 0.25],
    [{ 'choice/accuracy': 0.25 }, 'accuracy', undefined],
    [{ acc: 0.1, 'arc.acc': 0.5 }, 'acc', 0.1],
    [{ bacc: 0.5 }, 'acc', undefined],
    [{}, 'toString', undefined],
  ])('in %j finds %s as %s', (metrics, name, value) => {
    expect(findMetric(metrics, name, 'arc:easy')).toBe(value)
  })
})

describe('testFor', () => {
  const spec = (threshold: number, lower = false) => ({
    benchmark_id: 'b',
    primary_score: { metric: 'm', lower_is_better: lower, source: 'job' as const },
    threshold: { value: threshold, source: 'job' as const },
  })
  test.each([
    [spec(0.5), 0.5, true],
    [spec(0.5), 0.49, false],
    [spec(0), 0, true],
    [spec(0.5, true), 0.5, true],
    [spec(0.5, true), 0.51, false],
  ])('%j with %d passes: %s', (judged, value, pass) => {
    expect(testFor(judged, { m: value })).toMatchObject({ primary_score: value, primary_score_metric: 'm', pass })
  })

  test('has 32-bit numbers, as the wire', () => {
    expect(testFor(spec(0.5), { m: 1 / 3 })?.primary_score).toBe(0.33333334)
  })

  test.each([
    [{ benchmark_id: 'b' }, { m: 1 }],
    [spec(0.5), undefined],
    [spec(0.5), { other: 1 }],
    [{ benchmark_id: 'b', primary_score: spec(0).primary_score }, { m: 1 }],
  ])('%j with %j judges nothing', (judged, metrics) => {
    expect(testFor(judged, metrics)).toBeUndefined()
  })
})

test('missingMetric names what was reported, and is silent where nothing is missing', () => {
  const primary_score = { metric: 'acc', source: 'provider' as const }
  expect(missingMetric({ benchmark_id: 'b', primary_score }, { f1: 1 })?.message).toMatch(/'acc'.*\(f1\)/)
  expect(missingMetric({ benchmark_id: 'b', primary_score }, { acc: 1 })).toBeUndefined()
  expect(missingMetric({ benchmark_id: 'b' }, {})).toBeUndefined()
})

describe('aggregate', () => {
  const run = (score: number | null, weight = 1, lower = false) => ({
    spec: { weight, primary_score: { metric: 'm', lower_is_better: lower, source: 'provider' as const } },
    test: score === null ? null : { primary_score: score, primary_score_metric: 'm', threshold: 0, pass: true },
  })
  test.each([
    [[run(0.9, 3), run(0.7)], 0.5, { score: 0.85, threshold: 0.5, pass: true }],
    [[run(0.95, 3), run(0.1, 1, true)], 0.5, { score: 0.9375, threshold: 0.5, pass: true }],
    [[run(0.9), run(0.8)], 0.9, { score: 0.85, threshold: 0.9, pass: false }],
    [[run(0.4), run(null)], 0.5, { score: 0.4, threshold: 0.5, pass: false }],
    [[run(0.4), run(250, 5, true)], 0.5, { score: 0.4, threshold: 0.5, pass: false }], // milliseconds are no ratio
    [[run(null)], 0.5, undefined],
    [[], 0.5, undefined],
  ])('of %j against %d is %j', (runs, threshold, expected) => {
    expect(aggregate(runs, threshold)).toEqual(expected)
  })
})

describe('leftOut', () => {
  const run = (score: number | null, primary_metric: string | null, metrics: object | null) => ({
    provider_id: 'p',
    benchmark_id: 'b',
    benchmark_index: 2,
    primary_metric,
    metrics: metrics && { ...metrics },
    test: score === null ? null : { primary_score: score, primary_score_metric: 'm', threshold: 0, pass: true },
  })
  test.each([
    [run(0, 'm', { m: 0 }), undefined, undefined],
    [run(1, 'm', { m: 1 }), undefined, undefined],
    [run(250.5, 'm', { m: 250.5 }), 'not_a_ratio', /'m' is 250.5, which is no ratio/],
    [run(-0.1, 'm', { m: -0.1 }), 'not_a_ratio', /-0.1/],
    [run(null, null, { m: 1 }), 'no_primary_metric', /no primary metric/],
    [run(null, 'm', { m: 1 }), 'no_threshold', /no threshold/],
    [run(null, 'm', { other: 1 }), 'primary_metric_missing', /'m' was not reported/],
    [run(null, 'm', null), 'primary_metric_missing', /'m' was not reported/],
  ])('of %j says %s', (given, code, message) => {
    const expected = code && [
      { provider_id: 'p', id: 'b', benchmark_index: 2, message_code: code, message: expect.stringMatching(message) },
    ]
    expect(leftOut([given])).toEqual(expected ?? [])
  })
})
