import { CATALOGUE_TEXTS } from './openapi-catalogue-texts.ts'
import { RUN_TEXTS } from './openapi-run-texts.ts'

/** What the document says of the properties of a schema, by the path to them: names with dots between them, items of a list as the list itself. */
export type Texts = Readonly<Record<string, string>>

const COORDINATES = 'exports.oci.coordinates'

/** The score of a job, which several answers have. */
const AGGREGATE_TEST = {
  score: 'Weighted mean of the primary scores of its benchmarks, 0 to 1; of one where lower is better, 1 less it.',
  threshold: 'What the score must reach: of the job, else of its collection, else 0.5.',
  pass: 'Whether the score is the threshold or more.',
  left_out: 'Benchmarks that do not count in the score, and why. Absent if all do.',
  'left_out.provider_id': 'Provider of the benchmark.',
  'left_out.id': 'Id of the benchmark.',
  'left_out.benchmark_index': 'Its place in the job, from 0.',
  'left_out.message': 'Why it does not count, for a person.',
  'left_out.message_code':
    'Why, for a program: its primary score is not within 0 to 1, it has no primary metric, none was reported, or there is no threshold.',
}

const below = (path: string, texts: Texts): Texts =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [`${path}.${name}`, text]))

const JOB_TEXTS: Record<string, Texts> = {
  EvaluationJobConfig: {
    name: 'Name of the job, by which lists find it. 1 to 1024 bytes in UTF-8; several jobs may have the same.',
    description: 'Text for people, kept as it is.',
    tags: 'Up to 100 tags, by which lists find the job; each of 1 to 128 characters without `,` and `|`.',
    model: 'The model that is evaluated.',
    pass_criteria: 'What the score of the job must reach. Absent: as its collection says, else 0.5.',
    benchmarks:
      'Up to 1000 benchmarks, each run for itself; the place in the list, from 0, is its `benchmark_index`. Either these or `collection`.',
    collection: 'A collection to run, in place of `benchmarks`.',
    'collection.id': 'Id of the collection.',
    'collection.benchmarks':
      'Up to 1000 additions to its benchmarks. Parameters given here reach every benchmark of the same provider, and those that the collection gives win.',
    'collection.collection_updated_at': '`updated_at` of the collection when the job was submitted (RFC 3339). The hub writes it.',
    experiment: 'MLflow experiment of the results. Refused so far (`mlflow_required_for_experiment`).',
    'experiment.name': 'Name of the experiment; not only white space.',
    'experiment.tags': 'Up to 20 tags of the experiment.',
    'experiment.tags.key': '1 to 250 characters.',
    'experiment.tags.value': '1 to 5000 characters.',
    'experiment.artifact_location': 'Where MLflow keeps the artifacts of the experiment.',
    custom: 'An object of the client’s own, kept and answered unread.',
    exports: 'Where the files of runs go. Absent: on a cluster they are not kept.',
    'exports.oci': 'As an artifact into an OCI registry. On a cluster only: a local hub keeps files in the folders of its runs.',
    [COORDINATES]: 'Which artifact of which registry.',
    [`${COORDINATES}.oci_host`]:
      'Host of the registry with or without a port, such as `quay.io`. With `http://` before it, it is asked in plain HTTP, which needs a registry without credentials.',
    [`${COORDINATES}.oci_repository`]: 'Repository in the registry, such as `team/results`.',
    [`${COORDINATES}.oci_tag`]:
      'Tag, which the last push has. Absent: `evalhub-` and a digest of job, provider, benchmark and index, so that each run has its own.',
    [`${COORDINATES}.oci_subject`]: 'Artifact that this one refers to. Kept and handed to the adapter.',
    [`${COORDINATES}.annotations`]:
      'Annotations of the artifact, beside and over those with the ids of job, benchmark and provider. No answer has them.',
    'exports.oci.k8s': 'How the registry lets the run in. Absent: without credentials.',
    'exports.oci.k8s.connection': 'Name of a Secret of type `kubernetes.io/dockerconfigjson` in the namespace of the tenant.',
    hardware_config: 'What runs get to run on, of benchmarks that do not say so themselves. On a cluster only.',
    queue: 'Deprecated: `hardware_config.queue` says the same for each benchmark, and wins.',
    'queue.kind': 'Kind of the queue; `kueue`, also if empty or absent, is the only one.',
    'queue.name': 'Name of a LocalQueue in the namespace of the tenant.',
  },
  EvaluationJob: {
    resource: 'What the hub knows of the job beside its content. The hub writes all of it.',
    'resource.id': 'Id of the job, a UUID; of two the later has the greater.',
    'resource.tenant': 'Whose job it is. Absent where no identity is required and none was given.',
    'resource.created_at': 'When it was submitted (RFC 3339).',
    'resource.updated_at': 'When a state of it last changed (RFC 3339); progress does not count. Absent in the answer to the submit.',
    'resource.owner': 'Who submitted it. Absent where no identity is required and none was given.',
    'resource.mlflow_experiment_id': 'Id of its MLflow experiment. Not set so far.',
    status: 'Where the job is. The hub writes it.',
    'status.state':
      'State of the job, which follows from those of its benchmarks. `completed`, `partially_failed` (some have results), `failed` and `cancelled` are final.',
    'status.message': 'What happened last, in a sentence.',
    'status.benchmarks': 'Where each benchmark of the job is, from the beginning, by `benchmark_index`.',
    results: 'What the job came to; empty until the first benchmark has a report.',
    'results.test': 'Score and verdict of the job, once it has completed. Absent if nothing counts.',
    ...below('results.test', AGGREGATE_TEST),
    'results.benchmarks': 'Results of the benchmarks that have been reported, by `benchmark_index`.',
    'results.mlflow_experiment_url': 'Page of its MLflow experiment. Not set so far.',
  },
  ModelRef: {
    url: 'Base of an OpenAI-compatible endpoint, http or https, of at most 8192 characters, such as `http://localhost:11434/v1`. Empty only if all benchmarks use pre-recorded data.',
    name: 'Name by which the endpoint knows the model.',
    auth: 'Where the credentials of the endpoint are. Absent: it needs none.',
    'auth.secret_ref': 'Name of a Secret with `api-key`; on a local hub a folder with a file of that name. Never the key itself.',
    parameters: 'Up to 1000 members, handed to the adapter unread.',
    card_url: 'Page about the model, of at most 8192 characters. Kept and answered.',
  },
  BenchmarkConfig: {
    id: 'Id of the benchmark, as its provider has it.',
    provider_id: 'Id of the provider that has the benchmark.',
    weight: 'Its share in the score of the job, 0 or more; absent and 0 count as 1. Kept as a 32-bit float.',
    primary_score: 'Metric that judges it. Absent: the provider’s.',
    pass_criteria: 'What the primary metric must reach. Absent: as the provider says, unless `primary_score` is given here.',
    hardware_config: 'What its run gets to run on. Absent: as the job says.',
    parameters:
      'Up to 1000 members, handed to the adapter. `num_examples`, a number, is how many items are evaluated; `timeout_seconds` bounds each attempt.',
    test_data_ref: 'Data that its adapter finds at `/test_data`. Absent: the benchmark’s own.',
  },
  JobBatch: { jobs: 'Up to 100 jobs, each as `POST /api/v1/evaluations/jobs` takes it.' },
  JobIds: { ids: 'Up to 1000 ids of jobs.' },
  JobOutcomes: {
    items: 'What became of the jobs, in the order of the request.',
    'items.status': 'Status with which it would have been answered alone: 202 if it was taken.',
    'items.job': 'The job, if it was taken.',
    'items.error': 'Why it was refused.',
  },
  JobState: {
    id: 'Id of the job.',
    state: 'State of the job, as in its `status`.',
    updated_at: 'When a state of it last changed (RFC 3339); progress does not count.',
    progress: 'Share that is done, 0 to 1: the mean over its benchmarks, each of which counts 1 once it has ended.',
    benchmarks: 'How many of its benchmarks are in which state.',
    'benchmarks.total': 'All of them.',
    'benchmarks.pending': 'Those whose adapter has not reported yet.',
    'benchmarks.running': 'Those whose adapter is at work.',
    'benchmarks.completed': 'Those with results.',
    'benchmarks.failed': 'Those that ended without results.',
    'benchmarks.cancelled': 'Those that were cancelled.',
    test: 'Score and verdict of the job. Absent until it has one.',
    ...below('test', AGGREGATE_TEST),
  },
  JobStates: {
    items: 'States of the jobs, in the order of the question, each once.',
    not_found: 'Ids that no job has which the caller may see.',
  },
}

/** What the document says of each property of each schema; of parts of requests, which end in `Input`, as of parts of answers. */
export const TEXTS: Readonly<Record<string, Texts>> = { ...JOB_TEXTS, ...RUN_TEXTS, ...CATALOGUE_TEXTS }

/** Schemas that have all that another one has: what is not said of them is said there. */
export const LIKE: Readonly<Record<string, string>> = {
  EvaluationJob: 'EvaluationJobConfig',
  Provider: 'ProviderConfig',
  Collection: 'CollectionConfig',
  EvaluationJobPage: 'Page',
  ProviderPage: 'Page',
  CollectionPage: 'Page',
}
