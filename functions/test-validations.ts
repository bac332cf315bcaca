import { event, JOB } from './test-app.ts'
import {
  BENCHMARK,
  invalid,
  failed,
  job,
  benchmark,
  withData,
  git,
  COLLECTION,
  inCollection,
  long,
  refused,
  ofJob,
  RULE_TOLD,
  type Row,
} from './test-message-row.ts'

const HARDWARE_TEXT = invalid('hardware_config: hardware_profile_name cannot be combined with queue, cpu, memory, or gpu')
const AT = 'benchmarks[0]'
export const JOBS: readonly Row[] = [
  ofJob(['POST', '/jobs', 'null'], 'name required', 'model required', 'benchmarks minimum one benchmark'),
  ofJob(job({ name: '' }), 'name required'),
  ofJob(job({ model: undefined }), 'model required'),
  ofJob(job({ model: { url: 'http://h/v1' } }), 'model.name required'),
  ofJob(job({ model: { ...JOB.model, auth: {} } }), 'model.auth.secret_ref required'),
  refused(
    job({ model: { name: 'm', url: '  ' } }),
    failed('EvaluationJobConfig', 'model.url url'),
    RULE_TOLD(
      failed('EvaluationJobConfig', 'model.url url').replace(
        "'url' tag",
        "'url' tag: it must be an http or https URL with a host, such as https://host/v1",
      ),
    ),
  ),
  ofJob(job({ collection: { id: 'pair-v1' } }), 'benchmarks benchmarks or collection'),
  ofJob(job({ benchmarks: [] }), 'benchmarks minimum one benchmark'),
  ofJob(inCollection({}), 'collection.id required', 'benchmarks minimum one benchmark'),
  refused(job({ benchmarks: [{ provider_id: 'frame' }] }), failed('EvaluationJobConfig', `${AT}.Ref.id required`), {
    text: failed('EvaluationJobConfig', `${AT}.id required`),
    named: '`benchmarks[0].Ref.id`',
  }),
  ofJob(job({ benchmarks: [{ id: 'first' }] }), `${AT}.provider_id required`),
  ofJob(job({ tags: ['a,b'] }), 'tags[0] tagname'),
  ofJob(job({ tags: [long(129)] }), 'tags[0] tagname'),
  ofJob(job({ pass_criteria: { threshold: null } }), 'pass_criteria.threshold required'),
  ofJob(benchmark({ weight: -1 }), `${AT}.weight min`),
  ofJob(benchmark({ primary_score: {} }), `${AT}.primary_score.metric required`),
  ofJob(job({ experiment: { name: ' ' } }), 'experiment.name notblank'),
  ofJob(job({ experiment: {} }), 'experiment.name notblank'),
  ofJob(
    job({ experiment: { name: 'e', tags: [{ key: '', value: '' }] } }),
    'experiment.tags[0].key required',
    'experiment.tags[0].value required',
  ),
  ofJob(
    job({ experiment: { name: 'e', tags: [{ key: long(251), value: long(5001) }] } }),
    'experiment.tags[0].key max',
    'experiment.tags[0].value max',
  ),
  refused(
    job({ experiment: { name: 'e', tags: Array.from({ length: 21 }, () => ({ key: 'k', value: 'v' })) } }),
    failed('EvaluationJobConfig', 'experiment.tags max'),
    RULE_TOLD(
      failed('EvaluationJobConfig', 'experiment.tags max').replace("'max' tag", "'max' tag: it has 21 items, and at most 20 are taken"),
    ),
  ),
  ofJob(job({ queue: { name: ' a b ' } }), 'queue.name rfc1123_dns_label'),
  ofJob(job({ queue: { name: ' q ' } }), 'queue.name rfc1123_dns_label'),
  ofJob(job({ queue: {} }), 'queue.name required'),
  ...['slurm', ' kueue ', ' '].map((kind) => refused(job({ queue: { kind, name: 'q' } }), invalid('kind must be one of: kueue'))),
  ofJob(benchmark({ hardware_config: { queue: { name: ' q ' } } }), `${AT}.hardware_config.queue.name rfc1123_dns_label`),
  ofJob(benchmark({ hardware_config: { queue: { name: ' ' } } }), `${AT}.hardware_config.queue.name rfc1123_dns_label`),
  ofJob(benchmark({ hardware_config: { hardware_profile_name: 'A b' } }), `${AT}.hardware_config.hardware_profile_name rfc1123_dns_label`),
  ...[{ queue: { name: 'q' } }, { cpu: { request: '1' } }, { gpu: {} }].map((inline) =>
    refused(benchmark({ hardware_config: { hardware_profile_name: 'a', ...inline } }), HARDWARE_TEXT),
  ),
  refused(withData({}), invalid('test_data_ref: one of s3, pvc, git, or hf must be set')),
  refused(
    withData({ pvc: { claim_name: 'c' }, hf: { repo_id: 'a' } }),
    invalid('test_data_ref: exactly one of s3, pvc, git, or hf must be set'),
  ),
  refused(
    job({ name: '', benchmarks: [{ ...BENCHMARK, test_data_ref: {} }] }),
    failed(
      'EvaluationJobConfig',
      'name required',
      ...['s3', 'pvc', 'git', 'hf'].map((source) => `${AT}.test_data_ref.${source} required_without_all`),
    ),
    RULE_TOLD(
      failed('EvaluationJobConfig', 'name required').replace(
        "'. Please",
        "\ntest_data_ref: one of s3, pvc, git, or hf must be set'. Please",
      ),
    ),
  ),
  refused(withData({ pvc: { claim_name: 'c' }, type: 'x' }), invalid('type must be one of: data_set, pre_recorded_data')),
  ofJob(withData({ pvc: { claim_name: 'A' } }), `${AT}.test_data_ref.pvc.claim_name rfc1123_dns_label`),
  ofJob(withData({ pvc: {} }), `${AT}.test_data_ref.pvc.claim_name required`),
  ofJob(withData({ s3: {} }), ...['bucket', 'key', 'secret_ref'].map((field) => `${AT}.test_data_ref.s3.${field} required`)),
  ofJob(withData({ git: {} }), ...['url', 'ref'].map((field) => `${AT}.test_data_ref.git.${field} required`)),
  ...['git@github.com:a/b.git', 'ssh://git@github.com/a/b.git', 'file:///a', 'https://'].map((url) =>
    ofJob(git({ url }), `${AT}.test_data_ref.git.url http_url`),
  ),
  ...['http://localhost/a', 'https://10.0.0.1/a', 'https://db.svc/a'].map((url) =>
    ofJob(git({ url }), `${AT}.test_data_ref.git.url git_clone_url`),
  ),
  refused(git({ url: 'http://github.com/a', secret_ref: 's' }), invalid('git url with credentials must use https scheme')),
  ofJob(git({ secret_ref: 'S' }), `${AT}.test_data_ref.git.secret_ref rfc1123_dns_label`),
  ofJob(withData({ hf: { repo_id: ' ' } }), `${AT}.test_data_ref.hf.repo_id notblank`),
  ofJob(withData({ hf: {} }), `${AT}.test_data_ref.hf.repo_id notblank`),
  ofJob(job({ exports: { oci: {} } }), 'exports.oci.coordinates required'),
  ofJob(job({ exports: { oci: { coordinates: { oci_repository: 'a' } } } }), 'exports.oci.coordinates.oci_host required'),
  ofJob(job({ exports: { oci: { coordinates: { oci_host: 'h', oci_repository: 'a' }, k8s: {} } } }), 'exports.oci.k8s.connection required'),
]

const reported = (more: object) => ['POST', '/jobs/{job}/events', event('running', more)] as const
const ofEvent = (ask: readonly unknown[], ...failures: string[]) =>
  refused(ask, failed('StatusEvent', ...failures.map((failure) => `benchmark_status_event${failure}`)))
const ofProvider = (body: object, ...failures: string[]) => refused(['POST', '/providers', body], failed('ProviderConfig', ...failures))
const ofCollection = (more: object, ...failures: string[]) =>
  refused(['POST', '/collections', { ...COLLECTION, ...more }], failed('CollectionConfig', ...failures))
export const OTHERS: readonly Row[] = [
  refused(reported({ status: 'cancelled' }), invalid('status must be one of: pending, running, completed, failed')),
  ofEvent(reported({ status: '' }), '.status required'),
  refused(
    reported({ phase: 'x' }),
    invalid('phase must be one of: initializing, loading_data, running_evaluation, post_processing, persisting_artifacts, completed'),
  ),
  ofEvent(['POST', '/jobs/{job}/events', {}], ' required'),
  ofEvent(reported({ provider_id: '' }), '.provider_id required'),
  ofEvent(reported({ error_message: {} }), '.error_message.message required', '.error_message.message_code required'),
  refused(
    reported({ metrics: { a: 1 }, metrics_schema: [{ name: 'a', type: '' }] }),
    failed('StatusEvent', 'benchmark_status_event.metrics_schema[0].type required'),
  ),
  ofEvent(reported({ started_at: 'x' }), '.started_at datetime'),
  ofEvent(
    reported({ metrics: { a: 1 }, metrics_schema: ['a', 'a'].map((name) => ({ name, type: 'numeric' })) }),
    '.metrics_schema metrics_schema_duplicate_name',
  ),
  refused(
    reported({ metrics_schema: [{ name: 'a', type: 'numeric' }] }),
    failed('StatusEvent', 'benchmark_status_event.metrics_schema[0].name metrics_schema_name_not_in_metrics').replace(
      "for 'name'",
      "for 'metrics_schema[0].name'",
    ),
  ),
  refused(
    reported({ metrics: { a: 1 }, metrics_schema: [{ name: 'a', type: 'x' }] }),
    invalid('type must be one of: numeric, categorical, array_ordered, array_unordered, time_series'),
  ),
  ofProvider({ description: long(1025) }, 'description max'),
  ofProvider({ tags: [''] }, 'tags[0] tagname'),
  refused(['POST', '/providers', { agent: { target_type: 'x' } }], invalid('target_type must be one of: model, agent, inference_server')),
  ofProvider({ agent: { summary: long(201) } }, 'agent.summary max'),
  ofProvider(
    { benchmarks: [{ agent: { score_ranges: [{}] } }] },
    'benchmarks[0].agent.score_ranges[0].range required',
    'benchmarks[0].agent.score_ranges[0].meaning required',
  ),
  refused(
    ['POST', '/providers', { runtime: { k8s: { image_pull_policy: 'x' } } }],
    invalid('image_pull_policy must be one of: if_not_present, always'),
  ),
  ofProvider({ benchmarks: [{ pass_criteria: {} }] }, 'benchmarks[0].pass_criteria.threshold required'),
  ofCollection(
    { name: undefined, category: undefined, benchmarks: undefined },
    'name required',
    'category required',
    'benchmarks required',
  ),
  ofCollection({ benchmarks: [] }, 'benchmarks min'),
  ofCollection({ category: long(129) }, 'category max'),
  ofCollection({ agent: { summary: long(201) } }, 'agent.summary max'),
]
