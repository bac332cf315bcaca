import { expect, test } from 'vitest'
import { EvaluationJobConfig } from '../models/evaluation.ts'
import { JobSpec } from '../models/job-spec.ts'
import { jobSpecFor } from './job-spec.ts'
import type { RunSpec } from './run-spec.ts'

const spec: RunSpec = {
  provider_id: 'p',
  benchmark_id: 'b',
  runtime: { local: { command: 'true' } },
  from_catalogue: true,
  parameters: { shots: 5, nothing: null },
  deadline_seconds: 60,
  weight: 2,
}
const request = (more: object = {}) =>
  EvaluationJobConfig.parse({
    name: 'n',
    tags: ['of the job'],
    model: { url: 'http://h/v1', name: 'm' },
    benchmarks: [{ id: 'b', provider_id: 'p' }],
    ...more,
  })
const build = (more: object = {}, own: Partial<RunSpec> = {}) =>
  jobSpecFor({ evaluationId: 'e', benchmarkIndex: 3, request: request(more), spec: { ...spec, ...own }, callbackUrl: 'http://hub:8080' })

const LEAST = {
  id: 'e',
  provider_id: 'p',
  benchmark_id: 'b',
  benchmark_index: 3,
  model: { url: 'http://h/v1', name: 'm' },
  parameters: { shots: 5, nothing: null },
  callback_url: 'http://hub:8080',
}

// Source: sections 9.1, 16 (25) and 19 of the contract: these keys and no other.
test.each<[string, object, Partial<RunSpec>, object]>([
  ['nothing more than it must', {}, {}, {}],
  ['a number of examples beside the parameters', {}, { num_examples: 7 }, { num_examples: 7 }],
  [
    'a direction only where lower is better',
    {},
    { primary_score: { metric: 'a', lower_is_better: false, source: 'job' } },
    { primary_score: { metric: 'a' } },
  ],
  [
    'the metric, without where it came from',
    {},
    { primary_score: { metric: 'a', lower_is_better: true, source: 'job' } },
    { primary_score: { metric: 'a', lower_is_better: true } },
  ],
  [
    'the experiment’s tags and not the job’s',
    { experiment: { name: 'x', tags: [{ key: 'k', value: 'v' }] } },
    {},
    { experiment_name: 'x', tags: [{ key: 'k', value: 'v' }] },
  ],
  [
    'an export without its Secret',
    { exports: { oci: { coordinates: { oci_host: 'h', oci_repository: 'r' }, k8s: { connection: 'secret' } } } },
    {},
    { exports: { oci: { coordinates: { oci_host: 'h', oci_repository: 'r' } } } },
  ],
])('job.json has %s', (_, more, own, expected) => {
  const built = build(more, own)
  expect(built).toEqual({ ...LEAST, ...expected })
  expect(JobSpec.parse(built)).toEqual(built)
})
