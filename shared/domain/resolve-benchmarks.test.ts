import { describe, expect, test } from 'vitest'
import { BenchmarkConfig, EvaluationJobConfig } from '../models/evaluation.ts'
import { CollectionConfig } from '../models/collection.ts'
import { BenchmarkResource } from '../models/provider.ts'
import { newJobFootprint } from './job-footprint.ts'
import { resolveBenchmarks as runsOf, snapshotsOf, type Found } from './resolve-benchmarks.ts'

const resolveBenchmarks = (...asked: Parameters<typeof runsOf>) => runsOf(...asked).map((run) => run())

const found = (id: string, definition: object = {}, more: Partial<Found> = {}): Found => ({
  provider_id: 'p',
  benchmark_id: id,
  provider_known: true,
  from_catalogue: true,
  runtime: null,
  deadline_seconds: null,
  definition: BenchmarkResource.parse({ id, ...definition }),
  ...more,
})
const request = (...benchmarks: object[]) =>
  EvaluationJobConfig.parse({
    name: 'n',
    model: { url: 'http://h', name: 'm' },
    benchmarks: benchmarks.map((one) => ({ provider_id: 'p', ...one })),
  })
const judged = { primary_score: { metric: 'acc', lower_is_better: true }, pass_criteria: { threshold: 0.3 } }

describe('resolveBenchmarks of a job’s own list', () => {
  test('takes metric and threshold from the job, else from the provider', () => {
    const [inherited, metric, threshold] = resolveBenchmarks(
      request({ id: 'a' }, { id: 'a', primary_score: { metric: 'f1' } }, { id: 'a', pass_criteria: { threshold: 0 } }),
      undefined,
      [found('a', judged)],
    )
    expect(inherited).toMatchObject({
      primary_score: { metric: 'acc', lower_is_better: true, source: 'provider' },
      threshold: { value: 0.3, source: 'provider' },
    })
    expect(metric).toMatchObject({ primary_score: { metric: 'f1', source: 'job' } })
    expect(metric).not.toHaveProperty('threshold') // the provider's belongs to the provider's metric
    expect(threshold).toMatchObject({ primary_score: { source: 'provider' }, threshold: { value: 0, source: 'job' } })
  })

  test.each([
    [
      { num_examples: 5.9, a: null },
      { num_examples: 5, parameters: { a: null } },
    ],
    [{ timeout_seconds: 60 }, { deadline_seconds: 60 }],
    [{ timeout_seconds: -1 }, { deadline_seconds: 7 }],
  ])('reads the parameters %j as %j', (parameters, expected) => {
    expect(resolveBenchmarks(request({ id: 'a', parameters }), undefined, [found('a', {}, { deadline_seconds: 7 })])[0]).toMatchObject(
      expected,
    )
  })

  test.each([
    [{ weight: 0 }, 1],
    [{}, 1],
    [{ weight: 2.5 }, 2.5],
  ])('counts %j as weight %d', (more, weight) => {
    expect(resolveBenchmarks(request({ id: 'a', ...more }), undefined, [found('a')])[0]?.weight).toBe(weight)
  })

  test('gives a run without hardware of its own the job’s', () => {
    const job = { ...request({ id: 'a' }, { id: 'a', hardware_config: { cpu: { limit: '1' } } }), hardware_config: { cpu: { limit: '9' } } }
    expect(resolveBenchmarks(job, undefined, [found('a')]).map((spec) => spec.hardware_config?.cpu?.limit)).toEqual(['9', '1'])
  })

  test.each([
    [[], /provider resource 'p' was not found/],
    [[found('a', {}, { provider_known: false })], /provider/],
    [[found('a', {}, { definition: null })], /benchmark with id 'a' does not exist/],
  ])('refuses what the catalogue lacks: %j', (entries, message) => {
    expect(() => resolveBenchmarks(request({ id: 'a' }), undefined, entries)).toThrow(message)
  })

  test('refuses a commit that a caller sets, and an experiment without an MLflow', () => {
    const git = { url: 'https://github.com/a/b', ref: 'main' }
    const withCommit = request({ id: 'a', test_data_ref: { git, resolved_sha: 'abcdef1' } })
    expect(() => resolveBenchmarks(withCommit, undefined, [])).toThrow(/resolved_sha/) // said before the catalogue is asked
    const withNone = request({ id: 'a', test_data_ref: { git, resolved_sha: '' } })
    expect(() => resolveBenchmarks(withNone, undefined, [found('a')])).not.toThrow()
    const experiment = { ...request({ id: 'a' }), experiment: { name: 'e' } }
    expect(() => resolveBenchmarks(experiment, undefined, [found('a')])).toThrow(/MLflow/)
    expect(() => resolveBenchmarks(experiment, undefined, [])).toThrow(/provider/)
  })

  test('needs no model url for recorded data only', () => {
    const recorded = { id: 'a', test_data_ref: { hf: { repo_id: 'x' }, type: 'pre_recorded_data' } }
    const without = (...list: object[]) => ({ ...request(...list), model: { url: '', name: 'm' } })
    expect(resolveBenchmarks(without(recorded), undefined, [found('a')])).toHaveLength(1)
    expect(() => resolveBenchmarks(without(recorded, { id: 'a' }), undefined, [found('a')])).toThrow(/model URL/)
  })
})

describe('resolveBenchmarks of a collection', () => {
  const collection = (...benchmarks: object[]) => ({
    id: 'c',
    config: CollectionConfig.parse({ name: 'c', category: 'x', benchmarks: benchmarks.map((one) => ({ provider_id: 'p', ...one })) }),
  })
  const resolve = (entries: object[], overrides: object[]) => {
    const benchmarks = overrides.map((one) => BenchmarkConfig.parse({ provider_id: 'p', ...one }))
    const job = { ...request({ id: 'a' }), benchmarks: undefined, collection: { id: 'c', benchmarks } }
    const { benchmarks: _, ...rest } = job
    return resolveBenchmarks(rest, collection(...entries), [found('a', judged), found('b')])
  }

  test.each([
    ['the collection’s value wins', { x: 1 }, { x: 2, y: 3 }, { x: 1, y: 3 }],
    ['its null takes a parameter away', { x: null }, { x: 2 }, {}],
    ['so does its empty text', { x: '' }, { x: 2 }, {}],
  ])('%s', (_, own, added, parameters) => {
    expect(resolve([{ id: 'a', parameters: own }], [{ id: 'a', parameters: added }])[0]?.parameters).toEqual(parameters)
  })

  test('an override reaches every benchmark of its provider, and its weight and criteria none', () => {
    const specs = resolve(
      [{ id: 'a', weight: 2 }, { id: 'b' }],
      [{ id: 'b', weight: 9, parameters: { x: 1 }, primary_score: { metric: 'f1' } }],
    )
    expect(specs).toMatchObject([
      { weight: 2, parameters: { x: 1 } },
      { weight: 1, parameters: { x: 1 } },
    ])
    expect(specs[1]).not.toHaveProperty('primary_score')
  })

  test('data and hardware of an override reach its own benchmark only; the collection’s data stay where none are given', () => {
    const [own, other] = [{ hf: { repo_id: 'own' } }, { hf: { repo_id: 'other' } }]
    const specs = resolve(
      [
        { id: 'a', test_data_ref: own },
        { id: 'b', test_data_ref: own },
      ],
      [{ id: 'b', test_data_ref: other, hardware_config: { cpu: { limit: '1' } } }],
    )
    expect(specs.map((spec) => spec.test_data_ref)).toEqual([own, other])
    expect(specs.map((spec) => spec.hardware_config?.cpu?.limit)).toEqual([undefined, '1'])
  })

  test('metric and threshold are said to be the collection’s', () => {
    const [spec] = resolve([{ id: 'a', primary_score: { metric: 'f1' }, pass_criteria: { threshold: 0 } }], [])
    expect(spec).toMatchObject({ primary_score: { metric: 'f1', source: 'collection' }, threshold: { value: 0, source: 'collection' } })
  })

  test('refuses one without benchmarks', () => {
    const empty = { id: 'c', config: { ...collection({ id: 'a' }).config, benchmarks: [] } }
    const { benchmarks: _, ...job } = request({ id: 'a' })
    expect(() => resolveBenchmarks(job, empty, [])).toThrow('The collection c does not have any benchmarks.')
  })

  test.each([
    [{ id: 'z' }, /benchmark with id 'z'/],
    [{ id: 'a', provider_id: 'q' }, /provider with id 'q'/],
  ])('refuses the override %j of what it does not have', (override, message) => {
    expect(() => resolve([{ id: 'a' }], [override])).toThrow(message)
  })
})

describe('resolveBenchmarks bounds what a job keeps', () => {
  const long = 'x'.repeat(1024 * 1024)
  const lengthOf = (...asked: Parameters<typeof runsOf>) => {
    const runs = runsOf(...asked)
    return [...snapshotsOf(runs, newJobFootprint(asked[0], runs.length))].at(-1)?.characters
  }
  const collectionOf = (...benchmarks: object[]) => ({
    id: 'c',
    config: CollectionConfig.parse({
      name: 'c',
      category: 'c',
      benchmarks: benchmarks.map((one) => ({ id: 'a', provider_id: 'p', ...one })),
    }),
  })
  const ofCollection = (...overrides: object[]) =>
    EvaluationJobConfig.parse({
      name: 'n',
      model: { url: 'http://h', name: 'm' },
      collection: { id: 'c', benchmarks: overrides.map((one) => ({ id: 'a', provider_id: 'p', ...one })) },
    })

  // Guarantee: a short request cannot fill the database, or the memory of who reads the job, with copies of a long provider.
  test.each([
    ['a long runtime', request(...Array.from({ length: 32 }, () => ({ id: 'a' }))), undefined, { local: { command: long } }],
    [
      'parameters that every benchmark of a collection gets',
      ofCollection({ parameters: { long } }),
      collectionOf(...Array.from({ length: 32 }, () => ({}))),
      null,
    ],
  ] as const)('and refuses one whose copies of %s are too much together', (_, asked, collection, runtime) => {
    expect(() => lengthOf(asked, collection, [found('a', {}, { runtime })])).toThrow(
      expect.objectContaining({ code: 'request_validation_failed', message: expect.stringMatching(/4 MiB longer.*fewer/) }),
    )
  })

  test('and takes a thousand benchmarks of a usual size, and what is long in the request itself', () => {
    const asked = request(...Array.from({ length: 1000 }, () => ({ id: 'a', parameters: { num_examples: 10, note: 'x'.repeat(9000) } })))
    expect(lengthOf(asked, undefined, [found('a', judged)])).toBeGreaterThan(9_000_000)
  })

  test('and refuses a job of more benchmarks, of its own or of a collection that is older than the bound', () => {
    const many = Array.from({ length: 1001 }, () => ({ id: 'a', provider_id: 'p' }))
    const stored = { id: 'c', config: { ...collectionOf({}).config, benchmarks: many } }
    expect(() => resolveBenchmarks(ofCollection(), stored, [found('a')])).toThrow('the job has 1001 benchmarks; name at most 1000 in one')
  })

  test('and refuses more parameters than a benchmark may have once those of all overrides are added', () => {
    const named = (prefix: string, count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [prefix + at, at]))
    const two = (count: number) => ofCollection({ parameters: named('x', 500) }, { parameters: named('y', count) })
    const own = collectionOf({ parameters: { z: 1 } })
    expect(() => resolveBenchmarks(two(501), collectionOf({}), [found('a')])).toThrow(/would have 1001 parameters; at most 1000/)
    expect(() => resolveBenchmarks(two(500), own, [found('a')])).toThrow(/a would have 1001 parameters; at most 1000/)
    expect(Object.keys(resolveBenchmarks(two(499), own, [found('a')])[0]?.parameters ?? {})).toHaveLength(1000)
  })
})
