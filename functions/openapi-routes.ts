import type { ErrorCode } from '#shared/errors.ts'
import { COLLECTION_WORDS } from '#shared/models/collection.ts'

/** What the document says of one query parameter. */
export type QueryParameter = { name: string; description: string; schema: object }

/** What the document says of one route. Models are names of `openapi.ts`. */
export type RouteDescription = {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  /** As the app registers it. */
  path: string
  summary: string
  tag: 'jobs' | 'providers' | 'collections' | 'service'
  query?: readonly QueryParameter[]
  body?: string
  /** Which examples it has (`openapi-examples.ts`); of its body’s name unless told. */
  example?: string
  /** Answer on success: its status, and the model of its body. */
  success: { status: 200 | 201 | 202 | 204; model?: string; text?: string }
  errors: readonly ErrorCode[]
  /** Creates something, so it takes `Idempotency-Key`, and answers `Location` unless it creates many. */
  isCreating?: boolean
  /** Answers `ETag`. */
  isVersioned?: boolean
  /** Takes `If-Match`. */
  isConditional?: boolean
  /** Changes nothing, though its method is POST. */
  isReading?: boolean
}

const integer = (minimum: number, fallback: number) => ({ type: 'integer', minimum, default: fallback })
const filter = (name: string, description: string): QueryParameter => ({
  name,
  description: `${description} \`a,b\`: both; \`a|b\`: one of them.`,
  schema: { type: 'string' },
})

const LIST: readonly QueryParameter[] = [
  { name: 'limit', description: 'Items a page; 0 means all.', schema: integer(0, 50) },
  { name: 'offset', description: 'Items to skip.', schema: integer(0, 0) },
  filter('name', 'Exact name.'),
  filter('tags', 'Tags that the item carries.'),
  filter('owner', 'Who created it; a leading `!` negates.'),
]
const SCOPE: QueryParameter = {
  name: 'scope',
  description: '`system`: of the catalogue; `tenant`: created over the API; empty: both. Not together with `owner`.',
  schema: { type: 'string', enum: ['system', 'tenant', ''] },
}
const LOGS: readonly QueryParameter[] = [
  {
    name: 'tail_lines',
    description: 'Last lines of each run, 1 to 10000; -1 means all.',
    schema: { anyOf: [{ const: -1 }, { type: 'integer', minimum: 1, maximum: 10_000 }], default: 1000 },
  },
  {
    name: 'timestamps',
    description: 'True: each line begins with the time at which it was written, or, on a local hub, read: at most 2 s later.',
    schema: { type: 'boolean', default: false },
  },
  { name: 'since_seconds', description: 'Lines that are not older, to about 2 s.', schema: { type: 'integer', minimum: 1 } },
]

const BODY_ERRORS = ['invalid_json_request', 'request_validation_failed', 'request_body_too_large'] as const
const LIST_ERRORS = ['query_parameter_invalid', 'query_bad_parameter'] as const
const LOG_ERRORS = ['query_parameter_invalid', 'query_parameter_required', 'resource_not_found'] as const
const SCOPE_ERRORS = [...LIST_ERRORS, 'query_parameter_value_invalid', 'query_parameter_mismatch'] as const
const PATCH_ERRORS = [...BODY_ERRORS, 'invalid_patch_operation', 'unallowed_patch'] as const

const JOBS = '/api/v1/evaluations/jobs'
const JOB = `${JOBS}/:id`

const jobRoutes: readonly RouteDescription[] = [
  {
    method: 'post',
    path: JOBS,
    summary: 'Submits an evaluation job: one model, and benchmarks or a collection.',
    tag: 'jobs',
    body: 'EvaluationJobConfig',
    success: { status: 202, model: 'EvaluationJob' },
    errors: [
      ...BODY_ERRORS,
      'resource_not_found',
      'resource_does_not_exist',
      'collection_empty',
      'resolved_sha_read_only',
      'model_url_required',
      'mlflow_required_for_experiment',
      'idempotency_key_reused',
      'quota_exceeded',
    ],
    isCreating: true,
  },
  {
    method: 'get',
    path: JOBS,
    summary: 'Lists jobs, newest first.',
    tag: 'jobs',
    query: [
      ...LIST,
      filter('status', 'State of the job; a leading `!` negates.'),
      filter('experiment_id', 'MLflow experiment; a leading `!` negates.'),
    ],
    success: { status: 200, model: 'EvaluationJobPage' },
    errors: LIST_ERRORS,
  },
  {
    method: 'get',
    path: JOB,
    summary: 'State, progress and results of a job.',
    tag: 'jobs',
    success: { status: 200, model: 'EvaluationJob' },
    errors: ['resource_not_found'],
    isVersioned: true,
  },
  {
    method: 'delete',
    path: JOB,
    summary: 'Cancels a job; with `hard_delete` removes it, in every state.',
    tag: 'jobs',
    query: [
      { name: 'hard_delete', description: 'True: remove the job and all that belongs to it.', schema: { type: 'boolean', default: false } },
    ],
    success: { status: 204 },
    errors: ['query_parameter_invalid', 'resource_not_found', 'job_can_not_be_updated', 'precondition_failed'],
    isConditional: true,
  },
  {
    method: 'post',
    path: `${JOB}/events`,
    summary: 'What an adapter reports about its run. Repeating an event is safe.',
    tag: 'jobs',
    body: 'StatusEvent',
    success: { status: 204 },
    errors: [...BODY_ERRORS, 'resource_not_found', 'job_can_not_be_updated'],
  },
  {
    method: 'get',
    path: `${JOB}/logs`,
    summary: 'Logs of all runs of a job, each below a header line.',
    tag: 'jobs',
    query: LOGS,
    success: { status: 200, text: 'text/plain' },
    errors: LOG_ERRORS,
  },
  {
    method: 'get',
    path: `${JOB}/benchmarks/:index/logs`,
    summary: 'Log of one run.',
    tag: 'jobs',
    query: LOGS,
    success: { status: 200, text: 'text/plain' },
    errors: LOG_ERRORS,
  },
  {
    method: 'get',
    path: `${JOB}/benchmarks/:index/attempts`,
    summary: 'The tries of one run, and why those that failed did.',
    tag: 'jobs',
    success: { status: 200, model: 'AttemptList' },
    errors: ['query_parameter_invalid', 'resource_not_found'],
  },
  {
    method: 'post',
    path: '/api/v1/evaluations/batch/jobs',
    summary:
      'Submits up to 100 jobs, each for itself: some may be taken and others refused. With `Idempotency-Key: k`, job number n (from 0) has the key `k/n`.',
    tag: 'jobs',
    body: 'JobBatch',
    success: { status: 200, model: 'JobOutcomes' },
    errors: BODY_ERRORS,
    isCreating: true,
  },
  {
    method: 'post',
    path: '/api/v1/evaluations/batch/jobs/states',
    summary: 'States of up to 1,000 jobs, without their requests and results.',
    tag: 'jobs',
    body: 'JobIds',
    success: { status: 200, model: 'JobStates' },
    errors: BODY_ERRORS,
    isReading: true,
  },
]

type Noun = { singular: 'Provider' | 'Collection'; tag: 'providers' | 'collections'; readOnly: ErrorCode; query: readonly QueryParameter[] }

/** Providers and collections have the same routes. */
function catalogueRoutes({ singular, tag, readOnly, query }: Noun): RouteDescription[] {
  const path = `/api/v1/evaluations/${tag}`
  const one = `${path}/:id`
  const noun = singular.toLowerCase()
  const success = { status: 200, model: singular } as const
  const changing = ['resource_not_found', readOnly, 'precondition_failed'] as const
  return [
    {
      method: 'post',
      path,
      summary: `Creates a ${noun} of the tenant.`,
      tag,
      body: `${singular}Config`,
      success: { status: 201, model: singular },
      errors: [...BODY_ERRORS, 'idempotency_key_reused', 'quota_exceeded'],
      isCreating: true,
      isVersioned: true,
    },
    {
      method: 'get',
      path,
      summary: `Lists the catalogue's ${tag} and the tenant's.`,
      tag,
      query: [...LIST, SCOPE, ...query],
      success: { status: 200, model: `${singular}Page` },
      errors: SCOPE_ERRORS,
    },
    { method: 'get', path: one, summary: `One ${noun}.`, tag, success, errors: ['resource_not_found'], isVersioned: true },
    {
      method: 'put',
      path: one,
      summary: `Replaces a ${noun} of the tenant.`,
      tag,
      body: `${singular}Config`,
      success,
      errors: [...BODY_ERRORS, ...changing],
      isVersioned: true,
      isConditional: true,
    },
    {
      method: 'patch',
      path: one,
      summary: `Changes a ${noun} of the tenant by a JSON Patch (RFC 6902) of add, remove and replace.`,
      tag,
      body: 'Patch',
      example: `${singular}Patch`,
      success,
      errors: [...PATCH_ERRORS, ...changing],
      isVersioned: true,
      isConditional: true,
    },
    {
      method: 'delete',
      path: one,
      summary: `Deletes a ${noun} of the tenant. Submitted jobs are not changed.`,
      tag,
      success: { status: 204 },
      errors: changing,
      isConditional: true,
    },
  ]
}

/** Every route of the app but its description and documentation page. */
export const ROUTES: readonly RouteDescription[] = [
  {
    method: 'get',
    path: '/api/v1/health',
    summary: 'That this process answers.',
    tag: 'service',
    success: { status: 200, model: 'Health' },
    errors: [],
  },
  {
    method: 'get',
    path: '/healthz',
    summary: 'The same, for probes.',
    tag: 'service',
    success: { status: 200, model: 'Health' },
    errors: [],
  },
  {
    method: 'get',
    path: '/readyz',
    summary: 'That its database answers and has its tables.',
    tag: 'service',
    success: { status: 200, model: 'Readiness' },
    errors: [],
  },
  ...jobRoutes,
  ...catalogueRoutes({
    singular: 'Provider',
    tag: 'providers',
    readOnly: 'read_only_provider',
    query: [{ name: 'benchmarks', description: 'False: without their benchmarks.', schema: { type: 'boolean', default: true } }],
  }),
  ...catalogueRoutes({
    singular: 'Collection',
    tag: 'collections',
    readOnly: 'read_only_collection',
    query: [
      filter('category', 'Exact category.'),
      ...COLLECTION_WORDS.map((name) => filter(name, 'Words that the collection carries.')),
      { name: 'sort_by', description: 'Accepted and kept in links; the newest come first whatever it says.', schema: { type: 'string' } },
    ],
  }),
]
