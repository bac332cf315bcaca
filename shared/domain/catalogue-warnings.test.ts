import { expect, test } from 'vitest'
import { CollectionFile } from '../models/collection.ts'
import { ProviderFile } from '../models/provider.ts'
import { catalogueWarnings } from './catalogue-warnings.ts'

const judged = (id: string, metric: string, threshold: number, isLower = false) => ({
  id,
  primary_score: { metric, lower_is_better: isLower },
  pass_criteria: { threshold },
})
const provider = (...benchmarks: object[]) => ProviderFile.parse({ id: 'p', benchmarks })
const collection = (...entries: object[]) =>
  CollectionFile.parse({ id: 'c', name: 'c', category: 'x', benchmarks: entries.map((entry) => ({ provider_id: 'p', ...entry })) })
const warnings = (providers: ProviderFile[], collections: CollectionFile[] = []) => catalogueWarnings({ providers, collections })

test.each([
  ['acc_norm', 40, true],
  ['exact_match', 1.01, true],
  ['acc,none', 55, true],
  ['pass@1', 30, true],
  ['choice/accuracy', 70, true],
  ['attack_success_rate', 30, true],
  ['acc', 1, false],
  ['output_tokens_per_second', 10, false],
  ['request_latency_ms_p90', 500, false],
  ['word_perplexity', 12, false],
  ['bleu', 20, false],
])('a threshold of %s at %d is off its scale: %j', (metric, threshold, isOff) => {
  expect(warnings([provider(judged('b', metric, threshold))])).toEqual(
    isOff ? [`p: b has the threshold ${threshold}, but ${metric} runs from 0 to 1`] : [],
  )
})

test('a collection’s threshold is judged by its provider’s metric, and its own by the scale of a score', () => {
  const c = { ...collection({ id: 'b', pass_criteria: { threshold: 68 } }), pass_criteria: { threshold: 38 } }
  expect(warnings([provider(judged('b', 'acc', 0.5))], [c])).toEqual([
    'Collection c has the threshold 38, but the score of a job runs from 0 to 1',
    'Collection c: b has the threshold 68, but acc runs from 0 to 1',
  ])
})

test('a collection that names what does not exist is told, benchmark by benchmark', () => {
  expect(warnings([provider(judged('b', 'acc', 0.5))], [collection({ id: 'b' }, { id: 'x' }, { id: 'b', provider_id: 'q' })])).toEqual([
    'Collection c names the benchmark x, which p does not have: it cannot be submitted',
    'Collection c names the provider q, which does not exist: it cannot be submitted',
  ])
})

test('a benchmark that occurs twice is told once', () => {
  expect(warnings([provider({ id: 'b' }, { id: 'b' }, { id: 'b' })])).toEqual([
    'Provider p has more than one benchmark b: the first counts',
  ])
})

test('a direction that contradicts the provider’s is told, one of another metric is not', () => {
  const own = provider(judged('b', 'bias_score', 0.6, true))
  expect(warnings([own], [collection(judged('b', 'bias_score', 0.5))])).toEqual([
    'Collection c: of b, bias_score is better when higher; its provider says better when lower',
  ])
  expect(warnings([own], [collection(judged('b', 'bias_score', 0.5, true), judged('b', 'acc', 0.5))])).toEqual([])
})
