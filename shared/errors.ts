/**
 * How the hub says no: one table from code to status and sentence.
 *
 * Codes and sentences are the published server's (section 2 of the contract, as `functions/messages.test.ts` has them), parameters in braces. The beginning of text that a
 * caller sends comes back in them, internals never do.
 */
const ANSWERS = {
  resource_not_found: [404, "The {Type} resource '{ResourceId}' was not found."],
  query_parameter_required: [400, "The query parameter '{ParameterName}' is required."],
  query_parameter_value_invalid: [400, "The query parameter '{ParameterName}' is not valid. Allowed values are: '{AllowedValues}'."],
  query_parameter_invalid: [400, "The query parameter '{ParameterName}' is not a valid {Type}: '{Value}'."],
  query_bad_parameter: [
    400,
    "The parameter '{ParameterName}' is not a valid query parameter. Allowed parameters are: {AllowedParameters}.",
  ],
  query_parameter_mismatch: [400, "The query parameters '{ParameterNames}' are mutually exclusive."],
  job_can_not_be_updated: [409, "The job {Id} can not be {NewStatus} because it is '{Status}'."],
  uri_too_long: [414, 'The URL has {Length} bytes, and at most {Limit} are read: ask for less in one request.'],
  request_body_too_large: [413, 'The request body exceeds the maximum allowed size of {Limit} bytes.'],
  invalid_json_request: [400, "The request JSON is invalid: '{Error}'. Please check the request and try again."],
  invalid_patch_operation: [400, "The patch operation '{Operation}' is not valid. Allowed operations are: {AllowedOperations}."],
  unallowed_patch: [400, "The operation '{Operation}' is not allowed for the path '{Path}'."],
  read_only_provider: [400, "Provider '{ProviderID}' cannot be modified or deleted."],
  read_only_collection: [400, "Collection '{CollectionID}' cannot be modified or deleted."],
  request_validation_failed: [400, "The request validation failed: '{Error}'. Please check the request and try again."],
  resource_does_not_exist: [400, "The {Type} with id '{ResourceID}' does not exist."],
  model_url_required: [400, 'The model URL is required when not all benchmarks have pre-recorded data.'],
  mlflow_required_for_experiment: [
    400,
    'MLflow is required for experiment tracking. Please configure MLflow in the service configuration and try again.',
  ],
  collection_empty: [400, 'The collection {CollectionID} does not have any benchmarks.'],
  resolved_sha_read_only: [400, "The field 'resolved_sha' is read-only and must not be set on create."],
  method_not_allowed: [405, 'The HTTP method {Method} is not allowed for the API {Api}.'],
  missing_tenant_header: [400, 'The request is missing a required header {Header}.'],
  missing_user_header: [400, 'The request is missing a required header {Header}.'],
  unauthorized: [401, '{Error}'],
  forbidden: [403, '{Error}'],
  idempotency_key_reused: [409, "The Idempotency-Key '{Key}' was used with another request."],
  precondition_failed: [412, 'It has changed since it was read: its present ETag is not one of If-Match. Read it again, then change it.'],
  foreign_request: [403, '{Error}'],
  quota_exceeded: [429, '{Error}'],
  internal_server_error: [500, 'An internal error occurred. Its trace id leads to the cause in the log of the hub.'],
  database_not_migrated: [
    503,
    'The database lacks {Missing}. Run the migration: `npm run migrate`, or in an installation on Kubernetes its Job evalhub-migrate.',
  ],
  unavailable: [503, 'The hub cannot answer now: {Error} Try again in a few seconds.'],
} as const satisfies Record<string, readonly [status: number, template: string]>

export type ErrorCode = keyof typeof ANSWERS

/** The placeholders of a code's sentence, each of which must be given. */
type Placeholder<Template> = Template extends `${string}{${infer Name}}${infer Rest}` ? Name | Placeholder<Rest> : never
type Parameters<Code extends ErrorCode> = { [Name in Placeholder<(typeof ANSWERS)[Code][1]>]: string }

/** Characters of a parameter that come back. */
const SHOWN_CHARACTERS = 4096

const beginning = (text: string) =>
  text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS).toWellFormed()}… (${text.length} characters)`

/** The HTTP status that `code` is answered with. */
export const statusOf = (code: ErrorCode) => ANSWERS[code][0]

/**
 * An answer the caller may read: `message` is shown as it stands. What only operators may know goes
 * into `cause`, which is logged and never sent. Any other thrown value is a bug: 500.
 */
export class HubError extends Error {
  override readonly name = 'HubError'
  readonly code: ErrorCode
  /** When the same may be asked again, in whole seconds; undefined where waiting alone does not help, or the code says it. */
  readonly retryAfterSeconds: number | undefined

  private constructor(code: ErrorCode, message: string, cause?: unknown, retryAfterSeconds?: number) {
    super(message, { cause })
    this.code = code
    this.retryAfterSeconds = retryAfterSeconds
  }

  static of<Code extends ErrorCode>(code: Code, parameters: Parameters<Code>, cause?: unknown, retryAfterSeconds?: number): HubError {
    const values = new Map(Object.entries<string>(parameters).map(([name, value]) => [name, beginning(value)]))
    return new HubError(
      code,
      ANSWERS[code][1].replace(/\{(\w+)\}/g, (whole, name: string) => values.get(name) ?? whole),
      cause,
      retryAfterSeconds,
    )
  }
}

/** A thing that does not exist, or belongs to another tenant: a caller cannot tell the two apart. */
export const notFound = (type: 'evaluation job' | 'collection' | 'provider' | 'benchmark', id: string): HubError =>
  HubError.of('resource_not_found', { Type: type, ResourceId: id })
