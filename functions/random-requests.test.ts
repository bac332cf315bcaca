import fc from 'fast-check'
import { describe, expect } from 'vitest'
import { event, JOB, test } from './test-app.ts'
import { anything, mutationOf, placesOf } from './test-arbitrary.ts'

const FULL_JOB = {
  ...JOB,
  description: 'd',
  tags: ['a'],
  model: { ...JOB.model, auth: { secret_ref: 's' }, parameters: { a: 1 }, card_url: 'http://h' },
  pass_criteria: { threshold: 0.5 },
  benchmarks: [
    {
      ...JOB.benchmarks[0],
      weight: 1,
      primary_score: { metric: 'm', lower_is_better: true },
      pass_criteria: { threshold: 1 },
      hardware_config: { queue: { kind: 'kueue', name: 'q' }, cpu: { request: '1', limit: '2' }, gpu: { name: 'g', count: 1 } },
      parameters: { num_examples: 5, timeout_seconds: 5 },
      test_data_ref: { git: { url: 'https://github.com/a/b', ref: 'main' }, type: 'data_set' },
    },
  ],
  custom: { a: 1 },
  exports: { oci: { coordinates: { oci_host: 'h', oci_repository: 'r', annotations: { a: 'b' } }, k8s: { connection: 'c' } } },
}
const FULL_EVENT = event('completed', {
  phase: 'completed',
  progress: 1,
  metrics: { acc: 1 },
  metrics_schema: [{ name: 'acc', type: 'numeric' }],
  additional_info: { statistics: {} },
  artifacts: { a: { uri: 'u' } },
  warning_message: { message: 'm', message_code: 'c' },
  started_at: '2026-11-23T10:00:00Z',
  job_meta: { resolved_sha: 'abcdef1' },
})
const FULL_PROVIDER = {
  name: 'n',
  title: 't',
  description: 'd',
  tags: ['a'],
  benchmarks: [
    {
      id: 'b',
      metrics: ['m'],
      num_few_shot: 1,
      tags: ['t'],
      primary_score: { metric: 'm' },
      agent: { score_ranges: [{ range: 'r', meaning: 'm' }] },
    },
  ],
  runtime: {
    k8s: { image: 'i', entrypoint: ['e'], env: [{ name: 'N', value: 'v' }], gpu: { count: 1, node_selector: { a: 'b' } } },
    local: { command: 'c' },
  },
  agent: { evaluates: ['a'], target_type: 'model', summary: 's' },
}
const FULL_COLLECTION = {
  name: 'n',
  category: 'c',
  tags: ['a'],
  custom: { a: 1 },
  pass_criteria: { threshold: 0.5 },
  benchmarks: [{ id: 'first', provider_id: 'frame', weight: 1, parameters: { a: 1 }, primary_score: { metric: 'm' } }],
  agent: { hints: ['h'] },
  domains: ['d'],
  curation_order: 1,
}
const FULL_PATCH = [{ op: 'add', path: '/tags', value: ['a'] }]

// Guarantee: no body that a caller can send makes a 500, and what is taken can be read again. `call` also compares each answer with its description.
describe('whatever stands in one place of a body', () => {
  test.for([
    ['POST', '/jobs', FULL_JOB],
    ['POST', '/providers', FULL_PROVIDER],
    ['POST', '/collections', FULL_COLLECTION],
  ] as const)('%s %s takes or refuses it', async ([method, path, body], { call }) => {
    await fc.assert(
      fc.asyncProperty(mutationOf(body), async (mutated) => {
        const answer = await call(method, path, JSON.stringify(mutated))
        expect(answer.status).toBeLessThan(500)
        if (answer.status >= 300) return
        expect(await call('GET', `${path}/${answer.body.resource.id}`)).toMatchObject({ status: 200 })
      }),
      { numRuns: 150 },
    )
    expect(await call('GET', `${path}?limit=0`)).toMatchObject({ status: 200 })
  })

  test.for([
    ['/batch/jobs', { jobs: [FULL_JOB] }],
    ['/batch/jobs/states', { ids: ['0198c0de-0000-7000-8000-000000000000', 'x'] }],
  ] as const)('POST %s takes or refuses it', async ([path, body], { call }) => {
    await fc.assert(
      fc.asyncProperty(mutationOf(body), async (mutated) => {
        const answer = await call('POST', path, JSON.stringify(mutated))
        expect(answer.status).toBeLessThan(500)
        for (const { status } of answer.body.items ?? []) expect(status ?? 200).toBeLessThan(500)
      }),
      { numRuns: 150 },
    )
  })

  test('an event is taken or refused, and the job can be read', async ({ call }) => {
    await fc.assert(
      fc.asyncProperty(mutationOf(FULL_EVENT), async (mutated) => {
        const { id } = (await call('POST', '/jobs', JOB)).body.resource
        expect((await call('POST', `/jobs/${id}/events`, event('running'))).status).toBe(204)
        expect((await call('POST', `/jobs/${id}/events`, JSON.stringify(mutated))).status).toBeLessThan(500)
        expect(await call('GET', `/jobs/${id}`)).toMatchObject({ status: 200 })
      }),
      { numRuns: 100 },
    )
  })

  test.for(['providers', 'collections'])('a patch of %s is taken or refused, and they can be read', async (noun, { call }) => {
    const body = noun === 'providers' ? FULL_PROVIDER : { ...FULL_COLLECTION, curation_order: undefined }
    const { id } = (await call('POST', `/${noun}`, body)).body.resource
    const paths = placesOf(body).map((place) => `/${place.join('/')}`)
    const operation = fc.record({
      op: fc.constantFrom('add', 'remove', 'replace'),
      path: fc.constantFrom(...paths, '/tags/-', '/agent/x'),
      value: anything,
    })
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutationOf(FULL_PATCH), fc.array(operation, { maxLength: 3 })), async (patch) => {
        expect((await call('PATCH', `/${noun}/${id}`, JSON.stringify(patch))).status).toBeLessThan(500)
        expect(await call('GET', `/${noun}/${id}`)).toMatchObject({ status: 200 })
      }),
      { numRuns: 150 },
    )
  })

  test.for(['jobs', 'providers', 'collections'])('a list of %s is answered or refused, whatever is asked', async (noun, { call }) => {
    const names = ['limit', 'offset', 'name', 'tags', 'owner', 'status', 'scope', 'category', 'benchmarks', 'experiment_id']
    const text = fc.oneof(fc.string(), fc.constantFrom('1', '0', '-1', '!', ',', '|', '!a|b', 'system', 'tenant', 'true', '%00', '+5'))
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.constantFrom(...names), text), { maxLength: 4 }), async (pairs) => {
        expect((await call('GET', `/${noun}?${new URLSearchParams(pairs)}`)).status).toBeLessThan(500)
      }),
      { numRuns: 100 },
    )
  })
})
