import { describe, expect, test } from 'vitest'
import type { EvaluationJobConfig } from '../models/evaluation.ts'
import { withResolvedShas } from './resolved-request.ts'
import type { RunSpec } from './run-spec.ts'

const git = { git: { url: 'https://github.com/a/b', ref: 'main' } }
const base: EvaluationJobConfig = { name: 'j', model: { url: 'http://h/v1', name: 'm' } }

describe('withResolvedShas', () => {
  test('is the request itself while no commit is known', () => {
    const request = { ...base, benchmarks: [{ id: 'a', provider_id: 'p', test_data_ref: git }] }
    expect(withResolvedShas(request, [{ resolved_sha: null, spec: null }])).toBe(request)
    expect(withResolvedShas(request, [])).toBe(request)
  })

  test('puts each commit into the benchmark of its index, and nowhere else', () => {
    const entry = { id: 'a', provider_id: 'p', test_data_ref: git }
    const request = { ...base, benchmarks: [entry, entry, { id: 'b', provider_id: 'p' }] }
    const runs = [null, 'abcdef1', 'abcdef2'].map((resolved_sha) => ({ resolved_sha, spec: null }))
    expect(withResolvedShas(request, runs).benchmarks).toEqual([
      entry,
      { ...entry, test_data_ref: { ...git, resolved_sha: 'abcdef1' } },
      { id: 'b', provider_id: 'p' },
    ])
  })

  // Source: contract 3.6: from then on the stored overrides are the complete list, with its merged parameters.
  test('shows the benchmarks of a collection whole, as they were understood', () => {
    const request = { ...base, collection: { id: 'c', benchmarks: [{ id: 'a', provider_id: 'p', parameters: { extra: 1 } }] } }
    const spec: RunSpec = {
      provider_id: 'p',
      benchmark_id: 'a',
      runtime: {},
      from_catalogue: true,
      parameters: { shots: 2, extra: 1 },
      num_examples: 5,
      test_data_ref: git,
      deadline_seconds: 60,
      primary_score: { metric: 'acc', source: 'collection' },
      threshold: { value: 0.5, source: 'provider' },
      weight: 3,
    }
    const other: RunSpec = {
      provider_id: 'q',
      benchmark_id: 'b',
      runtime: {},
      from_catalogue: true,
      parameters: {},
      deadline_seconds: 60,
      weight: 1,
    }
    const runs = [
      { resolved_sha: 'abcdef1', spec },
      { resolved_sha: null, spec: other },
    ]
    expect(withResolvedShas(request, runs).collection).toEqual({
      id: 'c',
      benchmarks: [
        {
          id: 'a',
          provider_id: 'p',
          weight: 3,
          primary_score: { metric: 'acc' },
          parameters: { shots: 2, extra: 1, num_examples: 5 },
          test_data_ref: { ...git, resolved_sha: 'abcdef1' },
        },
        { id: 'b', provider_id: 'q', weight: 1, parameters: {} },
      ],
    })
  })
})
