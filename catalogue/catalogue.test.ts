import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readCatalogue } from '#k8s-bridge/read-catalogue.ts'
import { catalogueWarnings } from '#shared/domain/catalogue-warnings.ts'

const { catalogue, doubles } = await readCatalogue([import.meta.dirname])
const { providers, collections } = catalogue
const published = providers.filter(({ id }) => id !== 'builtin')
const benchmarks = published.flatMap(({ id: provider, benchmarks: list = [] }) => list.map((benchmark) => ({ provider, ...benchmark })))

/** Metrics that are no share: their thresholds are in requests and tokens a second. */
const RATES = ['requests_per_second', 'output_tokens_per_second']

test('every reference resolves, no id occurs twice, no threshold is off its scale, and no direction contradicts another', () => {
  expect([...doubles, ...catalogueWarnings(catalogue)]).toEqual([])
})

// Source: section 5.5 of the contract, with mmlu_medical, truthfulqa and garak's toxicity.
test.each([
  ['builtin', 'builtin', 6],
  ['deepeval', 'DeepEval', 5],
  ['garak', 'Garak', 10],
  ['garak-kfp', 'Garak KFP', 9],
  ['guidellm', 'GuideLLM', 7],
  ['ibm-clear', 'IBM CLEAR', 1],
  ['inspect', 'Inspect AI', 79],
  ['lighteval', 'Lighteval', 28],
  ['lm_evaluation_harness', 'LM Evaluation Harness', 190],
  ['ragas', 'Ragas', 2],
])('%s is called %s and has %i benchmarks', (id, name, count) => {
  const provider = providers.find((one) => one.id === id)
  expect(provider).toMatchObject({
    name,
    description: expect.stringMatching(/\w/),
    runtime: { k8s: { Image: expect.stringMatching(/:|^evalhub$/) } },
  })
  expect(provider?.benchmarks).toHaveLength(count)
})

// Source: their adapters, which read the file `hf-token`; those of the others do not.
test('lighteval, inspect and lm_evaluation_harness get the token of the Hugging Face hub, and no other provider does', () => {
  const needing = providers.filter(({ runtime }) => runtime?.k8s?.needs_hf_token).map(({ id }) => id)
  expect(needing.toSorted()).toEqual(['inspect', 'lighteval', 'lm_evaluation_harness'])
})

test('there are ten providers and 331 published benchmarks', () => {
  expect(providers).toHaveLength(10)
  expect(benchmarks).toHaveLength(331)
})

// The golden file was made from appendix A of the contract, and not from these files.
test('ids, categories, metrics, directions, thresholds, shots and sizes are the published ones', () => {
  const rows = benchmarks.map(({ provider, id, category, primary_score: primary, pass_criteria: criteria, ...one }) => {
    const way = primary && (primary.lower_is_better ? 'lower' : 'higher')
    const cells = [
      provider,
      id,
      category,
      primary?.metric,
      way,
      criteria?.threshold,
      one.num_few_shot,
      one.dataset_size,
      one.metrics?.join(),
    ]
    return cells.map((cell) => String(cell ?? '')).join('\t')
  })
  const golden = readFileSync(join(import.meta.dirname, 'benchmarks.golden.tsv'), 'utf8')
    .trimEnd()
    .split('\n')
  expect(rows.toSorted()).toEqual(golden.toSorted())
})

test('each benchmark has a name of its own among its provider’s, a description, and its primary metric among its metrics', () => {
  for (const { id, benchmarks: list = [] } of providers) {
    const names = list.map(({ name }) => name)
    expect({ id, doubles: names.filter((name, index) => names.indexOf(name) !== index) }).toEqual({ id, doubles: [] })
    for (const { id: benchmark, name, description, metrics, primary_score: primary } of list) {
      expect({ benchmark, name, description }).toMatchObject({
        name: expect.stringMatching(/\w/),
        description: expect.stringMatching(/\.$/),
      })
      if (primary) expect(metrics).toContain(primary.metric)
    }
  }
})

test('thresholds are on the scale of their metric', () => {
  const isOff = (criteria: { threshold: number } | undefined) =>
    criteria !== undefined && (criteria.threshold < 0 || criteria.threshold > 1)
  const ofShares = benchmarks.filter(({ primary_score: primary }) => !RATES.includes(primary?.metric ?? ''))
  expect(ofShares.filter((benchmark) => isOff(benchmark.pass_criteria))).toEqual([])
  expect(collections.filter((collection) => [collection, ...collection.benchmarks].some((one) => isOff(one.pass_criteria)))).toEqual([])
})

// A job that names one of them without knowing the provider must not be about another benchmark.
test('no benchmark of builtin has the id of another provider’s', () => {
  const ids = new Set(benchmarks.map(({ id }) => id))
  const own = providers.find(({ id }) => id === 'builtin')?.benchmarks ?? []
  expect(own.filter(({ id }) => ids.has(id))).toEqual([])
})

// Source: section 6.4 of the contract; healthcare_safety_v1 and starter-v1 are ours.
test.each([
  ['coding-v1', 'code', 0.25, [1]],
  ['healthcare_safety_v1', 'safety', 0.5, [2, 1.5, 1]],
  ['instruction-following-v1', 'instruction_following', 0.5, [1, 1, 1, 1, 1]],
  ['leaderboard-v2', 'general', 0.38, [1, 1, 1, 1, 1, 1]],
  ['long-context-v1', 'long_context', 0.45, [4, 3, 2, 1]],
  ['model-validation', 'safety', 0.75, [1]],
  ['open-telco-v1', 'telecom', 0.475, [1, 1, 1, 1]],
  ['reasoning-v1', 'reasoning', 0.38, [1, 1, 1, 1, 1, 1]],
  ['safety-and-fairness-v1', 'safety', 0.758, [2, 3, 1, 1, 2, 3]],
  ['standard-llm-evals-v1', 'general', 0.45, [2, 2, 2, 2, 2, 1, 2, 2, 1, 1, 1, 1]],
  ['starter-v1', 'general', 0.65, [2, 2, 1]],
  ['toxicity-and-ethical-principles', 'safety', 0.75, [3, 2, 3]],
])('collection %s has category %s, threshold %d and weights %j', (id, category, threshold, weights) => {
  const collection = collections.find((one) => one.id === id)
  expect(collection).toMatchObject({ category, pass_criteria: { threshold }, modalities: ['text'], evaluation_targets: ['model'] })
  expect(collection?.benchmarks.map(({ weight }) => weight)).toEqual(weights)
})

describe('a collection of one threshold a benchmark', () => {
  // Guarantee: what passes every benchmark by a hair passes the job, or nearly. The published ones contradicted themselves by far.
  test.each(['model-validation', 'safety-and-fairness-v1', 'open-telco-v1', 'coding-v1'])('%s has their mean as its own', (id) => {
    const { pass_criteria: criteria, benchmarks: entries } = collections.find((one) => one.id === id)!
    const parts = entries.map(({ weight, primary_score: primary, pass_criteria: own }) => ({
      weight: weight!,
      value: primary?.lower_is_better ? 1 - own!.threshold : own!.threshold,
    }))
    const mean = parts.reduce((sum, { weight, value }) => sum + weight * value, 0) / parts.reduce((sum, { weight }) => sum + weight, 0)
    expect(criteria?.threshold).toBeCloseTo(mean, 3)
  })
})
