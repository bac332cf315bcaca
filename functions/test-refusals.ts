import { event, MAX_BODY_BYTES } from './test-app.ts'
import {
  unreadable,
  failed,
  job,
  benchmark,
  withData,
  COLLECTION,
  inCollection,
  long,
  row,
  refused,
  patch,
  OWN_WORDS,
  type Row,
} from './test-message-row.ts'

export const FOUND: readonly Row[] = [
  row(['GET', '/jobs/none'], 404, 'resource_not_found', "The evaluation job resource 'none' was not found."),
  row(['GET', '/collections/none'], 404, 'resource_not_found', "The collection resource 'none' was not found."),
  row(['GET', '/providers/none'], 404, 'resource_not_found', "The provider resource 'none' was not found."),
  row(['POST', '/jobs/{job}/events', event('running', {}, 'x')], 404, 'resource_not_found', "The benchmark resource 'x' was not found."),
  row(benchmark({ provider_id: 'none' }), 404, 'resource_not_found', "The provider resource 'none' was not found."),
  row(benchmark({ id: 'none' }), 400, 'resource_does_not_exist', "The benchmark with id 'none' does not exist."),
  row(
    inCollection({ id: 'pair-v1', benchmarks: [{ id: 'a', provider_id: 'b' }] }),
    400,
    'resource_does_not_exist',
    "The provider with id 'b' does not exist.",
  ),
  row(['PUT', '/providers/frame', {}], 400, 'read_only_provider', "Provider 'frame' cannot be modified or deleted."),
  row(['DELETE', '/collections/pair-v1'], 400, 'read_only_collection', "Collection 'pair-v1' cannot be modified or deleted."),
  row(
    ['PATCH', '/collections/{curated}', [{ op: 'replace', path: '/name', value: 'x' }]],
    400,
    'read_only_collection',
    "Collection '{curated}' cannot be modified or deleted.",
  ),
  row(['PUT', '/collections/{curated}', COLLECTION], 400, 'read_only_collection', "Collection '{curated}' cannot be modified or deleted."),
  row(inCollection({ id: '{empty}' }), 400, 'collection_empty', 'The collection {empty} does not have any benchmarks.'),
  row(
    job({ model: { name: 'm' } }),
    400,
    'model_url_required',
    'The model URL is required when not all benchmarks have pre-recorded data.',
  ),
  row(
    job({ experiment: { name: 'e' } }),
    400,
    'mlflow_required_for_experiment',
    'MLflow is required for experiment tracking. Please configure MLflow in the service configuration and try again.',
  ),
  row(
    withData({ hf: { repo_id: 'a' }, resolved_sha: 'abcdef1' }),
    400,
    'resolved_sha_read_only',
    "The field 'resolved_sha' is read-only and must not be set on create.",
  ),
  row(
    ['POST', '/jobs/{done}/events', event('running')],
    409,
    'job_can_not_be_updated',
    "The job {done} can not be running because it is 'completed'.",
  ),
  row(['DELETE', '/jobs/{done}'], 409, 'job_can_not_be_updated', "The job {done} can not be cancelled because it is 'completed'."),
  row(
    ['POST', '/jobs/{job}/events', event('running'), { 'X-Tenant': 'stranger' }],
    404,
    'resource_not_found',
    "The evaluation job resource '{job}' was not found.",
  ),
  row(['PUT', '/jobs?a=1', {}], 405, 'method_not_allowed', 'The HTTP method PUT is not allowed for the API /api/v1/evaluations/jobs?a=1.'),
  row(
    ['POST', '/jobs', long(MAX_BODY_BYTES + 1)],
    413,
    'request_body_too_large',
    `The request body exceeds the maximum allowed size of ${MAX_BODY_BYTES} bytes.`,
  ),
]

const query = (path: string, rest: string) => row(['GET', path], 400, 'query_parameter_invalid', `The query parameter ${rest}`)
export const QUERIES: readonly Row[] = [
  query('/jobs?limit=x', "'limit' is not a valid integer: 'x'."),
  query('/jobs?limit=-1', "'limit' is not a valid positive integer: '-1'."),
  query('/jobs?offset=-1', "'offset' is not a valid positive integer: '-1'."),
  query('/providers?benchmarks=x', "'benchmarks' is not a valid boolean: 'x'."),
  query('/jobs/{job}/logs?since_seconds=x', "'since_seconds' is not a valid integer: 'x'."),
  query('/jobs/{job}/logs?since_seconds=0', "'since_seconds' is not a valid positive integer: '0'."),
  query('/jobs/{job}/logs?tail_lines=x', "'tail_lines' is not a valid integer: 'x'."),
  query('/jobs/{job}/logs?tail_lines=0', "'tail_lines' is not a valid integer between 1 and 10000, or -1 for all lines: '0'."),
  query('/jobs/{job}/logs?timestamps=x', "'timestamps' is not a valid boolean: 'x'."),
  query('/jobs/{job}/benchmarks/x/logs', "'benchmark_index' is not a valid non-negative integer: 'x'."),
  row(
    ['DELETE', '/jobs/{job}?hard_delete=x'],
    400,
    'query_parameter_invalid',
    "The query parameter 'hard_delete' is not a valid boolean: 'x'.",
  ),
  row(['GET', '/jobs/{job}/logs?since_seconds='], 400, 'query_parameter_required', "The query parameter 'since_seconds' is required."),
  ...['/providers', '/collections'].map((path) =>
    row(
      ['GET', `${path}?scope=x`],
      400,
      'query_parameter_value_invalid',
      "The query parameter 'scope' is not valid. Allowed values are: 'system|tenant'.",
    ),
  ),
  row(
    ['GET', '/providers?owner=a&scope=system'],
    400,
    'query_parameter_mismatch',
    "The query parameters 'owner,scope' are mutually exclusive.",
  ),
  ...Object.entries({
    jobs: 'limit, offset, status, name, tags, owner, experiment_id',
    providers: 'limit, offset, benchmarks, name, tags, owner, scope',
    collections: 'limit, offset, name, category, tags, owner, scope, domains, tasks, modalities, industries, evaluation_targets, sort_by',
  }).map(([noun, allowed]) =>
    row(
      ['GET', `/${noun}?limt=1`],
      400,
      'query_bad_parameter',
      `The parameter 'limt' is not a valid query parameter. Allowed parameters are: ${allowed}.`,
    ),
  ),
]

const unallowed = (noun: string, op: string, path: string) =>
  row(patch(noun, op, path), 400, 'unallowed_patch', `The operation '${op}' is not allowed for the path '${path}'.`)
export const PATCHES: readonly Row[] = [
  unallowed('provider', 'remove', '/name'),
  unallowed('provider', 'replace', '/resource/id'),
  ...['provider', 'collection'].flatMap((noun) => [
    ...['/benchmarks', '/benchmarks/0', '/benchmarks/-', '/benchmarks/0/tags'].map((path) => unallowed(noun, 'add', path)),
    unallowed(noun, 'remove', '/benchmarks/0'),
  ]),
  unallowed('provider', 'add', '/runtime/k8s'),
  unallowed('provider', 'remove', '/runtime/local'),
  unallowed('collection', 'replace', '/agent'),
  unallowed('collection', 'replace', '/pass_criteria/threshold'),
  row(
    patch('provider', 'move', '/name'),
    400,
    'invalid_patch_operation',
    "The patch operation 'move' is not valid. Allowed operations are: replace, add, remove.",
  ),
  row(
    ['PATCH', '/providers/{provider}', [{ path: '/name' }]],
    400,
    'invalid_patch_operation',
    "The patch operation '' is not valid. Allowed operations are: replace, add, remove.",
  ),
  row(
    patch('provider', 'replace', ''),
    400,
    'invalid_json_request',
    unreadable('Invalid patch path'),
    OWN_WORDS(/each patch operation needs a path/),
  ),
  row(
    patch('provider', 'remove', '/tags/7'),
    400,
    'invalid_json_request',
    unreadable('remove operation does not apply: doc is missing path: "/tags/7": missing value'),
    OWN_WORDS(/'remove' cannot be applied to '\/tags\/7'/),
  ),
  row(
    patch('collection', 'remove', '/tags/7'),
    500,
    'unknown_error',
    'An unknown error occurred: remove operation does not apply: doc is missing path: "/tags/7": missing value.',
    {
      status: 400,
      code: 'invalid_json_request',
      text: /'remove' cannot be applied to '\/tags\/7'/,
      named: 'a patch of a collection is not validated, and 500 if it cannot be applied',
    },
  ),
  refused(patch('provider', 'replace', '/tags', ['a,b']), failed('ProviderConfig', 'tags[0] tagname')),
]

export const JSON_TEXTS: readonly Row[] = [
  row(['POST', '/jobs', ''], 400, 'invalid_json_request', unreadable('unexpected end of JSON input'), OWN_WORDS(/the body is empty/)),
  row(['POST', '/jobs', '{"name":'], 400, 'invalid_json_request', unreadable('unexpected end of JSON input'), OWN_WORDS(/JSON/)),
  row(
    ['POST', '/jobs', '{} {}'],
    400,
    'invalid_json_request',
    unreadable("invalid character '{' after top-level value"),
    OWN_WORDS(/after JSON/),
  ),
  row(
    job({ name: 7 }),
    400,
    'invalid_json_request',
    unreadable('json: cannot unmarshal number into Go struct field EvaluationJobConfig.name of type string'),
    OWN_WORDS(/name: .*expected string/),
  ),
  row(
    ['PATCH', '/providers/{provider}', {}],
    400,
    'invalid_json_request',
    unreadable('json: cannot unmarshal object into Go value of type api.Patch'),
    OWN_WORDS(/the body must be a list of patch operations/),
  ),
]
