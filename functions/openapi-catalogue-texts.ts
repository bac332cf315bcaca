import type { Texts } from './openapi-texts.ts'

/** Hints for programs that choose benchmarks, of a provider or a collection. */
const AGENT: Texts = {
  agent: 'Hints for programs that choose what to run. Kept and answered.',
  'agent.evaluates': 'What it measures; up to 100 entries.',
  'agent.recommended_when': 'When it is of use; up to 100 entries.',
  'agent.complements': 'What it goes well with; up to 100 entries.',
  'agent.hints': 'What else to know; up to 100 entries.',
  'agent.result_interpretation': 'How to read its results; up to 100 entries.',
  'agent.summary': 'All of it in at most 200 characters.',
}

/** Metrics and thresholds of benchmarks and jobs. */
const SCORE: Record<string, Texts> = {
  PrimaryScore: {
    metric: 'Name of the metric as the framework reports it, such as `acc_norm`; 1 to 1024 characters.',
    lower_is_better: 'True where a smaller value is better, such as a latency. False if absent.',
  },
  PassCriteria: {
    threshold: 'Bound on the scale of the metric, or of the score of a job (0 to 1). Zero is one like any other. Kept as a 32-bit float.',
  },
}

const asked = (what: string) =>
  `${what} that the adapter is sure to get on a cluster, as a Kubernetes quantity. Empty: as the operator has set it.`
const limited = (what: string) =>
  `${what} that the adapter gets at most on a cluster, as a Kubernetes quantity. Empty: as the operator has set it.`

/** Providers, collections, and their parts. */
export const CATALOGUE_TEXTS: Record<string, Texts> = {
  ...SCORE,
  CatalogueResource: {
    id: 'Id, which jobs name: a UUID, or of the catalogue as its file says.',
    tenant: 'Whose it is. Absent where no identity is required and none was given.',
    created_at: 'When it was created (RFC 3339).',
    updated_at: 'When it was last changed (RFC 3339).',
    owner: 'Who created it; `system` for those of the catalogue.',
  },
  ProviderConfig: {
    name: 'Name, by which lists find it.',
    title: 'Name for people.',
    description: 'Text for people, of at most 1024 characters.',
    tags: 'Up to 100 tags, by which lists find it; each of 1 to 128 characters without `,` and `|`.',
    benchmarks: 'Up to 10000 benchmarks that it runs.',
    runtime: 'How its runs are launched.',
    ...AGENT,
    'agent.target_type': 'What its benchmarks evaluate.',
  },
  Provider: {
    resource: 'What the hub knows of it beside its content. The hub writes all of it.',
    benchmarks: 'Benchmarks that it runs; empty with `benchmarks=false`.',
  },
  BenchmarkResource: {
    id: 'Id, which jobs name together with the provider.',
    url: 'Page about it, of at most 8192 characters.',
    name: 'Name for people.',
    description: 'Text for people, of at most 1024 characters.',
    category: 'What kind of benchmark it is, in the provider’s own words.',
    metrics: 'Names of the metrics that it reports; up to 100.',
    num_few_shot: 'Worked examples in the prompt; 0 if absent.',
    dataset_size: 'Items in its data set; 0 where that is not known.',
    tags: 'Up to 100 tags.',
    primary_score: 'Metric that judges it, unless job or collection name another.',
    pass_criteria: 'What that metric must reach, unless job or collection say otherwise.',
    agent: 'Hints for programs that choose what to run. Kept and answered.',
    'agent.result_interpretation': 'How to read its results.',
    'agent.score_ranges': 'What scores mean; up to 100 ranges.',
    'agent.score_ranges.range': 'A range, such as `0.8-1.0`.',
    'agent.score_ranges.meaning': 'What a score in it means.',
  },
  ProviderRuntime: {
    k8s: 'As Kubernetes Jobs. The keys are the published server’s; `image` and `cpu_request` and their like are read too.',
    'k8s.Image': 'Image of the adapter; of a provider of the catalogue `evalhub` is EvalHub’s own. Without one its runs fail on a cluster.',
    'k8s.Entrypoint': 'Command in place of the image’s, up to 1000 parts.',
    'k8s.CPURequest': asked('Processor time'),
    'k8s.CPULimit': limited('Processor time'),
    'k8s.MemoryRequest': asked('Memory'),
    'k8s.MemoryLimit': limited('Memory'),
    'k8s.EphemeralStorageRequest': asked('Disk of the node'),
    'k8s.EphemeralStorageLimit': limited('Disk of the node'),
    'k8s.gpu': 'Accelerators of the adapter. Absent: none.',
    'k8s.gpu.resource': 'Resource that the cluster has them as, such as `nvidia.com/gpu`.',
    'k8s.gpu.count': 'How many; 0 and less are none.',
    'k8s.gpu.node_selector': 'Labels of the nodes that have them.',
    'k8s.Env': 'Up to 1000 environment variables of the adapter.',
    'k8s.Env.Name': 'Name of the variable.',
    'k8s.Env.Value': 'Its value; empty if absent.',
    'k8s.image_pull_policy':
      'Whether a node asks the registry for the image each time (`always`), or only if it does not have it, also if empty or absent.',
    'k8s.needs_hf_token': 'True: the adapter gets `hf-token` of the Secret of the model, as a file that it can read and send anywhere.',
    local: 'As processes of a local hub.',
    'local.command':
      'Line for `sh -c` that starts the adapter. That of a provider that came over the API runs only with `--allow-provider-commands`.',
    'local.env': 'Up to 1000 environment variables of the adapter.',
    'local.env.Name': 'Name of the variable.',
    'local.env.Value': 'Its value; empty if absent.',
  },
  CollectionConfig: {
    name: 'Name, by which lists find it.',
    description: 'Text for people, of at most 1024 characters.',
    category: 'What kind of collection it is, by which lists find it; 1 to 128 characters.',
    tags: 'Up to 100 tags, by which lists find it; each of 1 to 128 characters without `,` and `|`.',
    custom: 'An object of the client’s own, kept and answered unread.',
    pass_criteria: 'What the score of a job with this collection must reach, unless the job says so itself. Absent: 0.5.',
    benchmarks: '1 to 1000 benchmarks; the place in the list, from 0, is the `benchmark_index` in a job.',
    ...AGENT,
    domains: 'Fields that it is about, by which lists find it; up to 100.',
    tasks: 'Tasks that it is about, by which lists find it; up to 100.',
    modalities: 'Kinds of input and output, such as `text`, by which lists find it; up to 100.',
    industries: 'Industries that it is for, by which lists find it; up to 100.',
    evaluation_targets: 'What it evaluates, such as `model`, by which lists find it; up to 100.',
    curation_order: 'Place among the curated collections of the catalogue. A request must not have it.',
  },
  Collection: { resource: 'What the hub knows of it beside its content. The hub writes all of it.' },
  CollectionBenchmark: {
    id: 'Id of the benchmark, as its provider has it.',
    provider_id: 'Id of the provider that has the benchmark.',
    url: 'Page about it, as the provider says. The hub writes it; but for a patch of this one field what a request says is ignored.',
    weight: 'Its share in the score of a job, 0 or more; absent and 0 count as 1. Kept as a 32-bit float.',
    primary_score: 'Metric that judges it. Absent: the provider’s.',
    pass_criteria: 'What the primary metric must reach. Absent: as the provider says, unless `primary_score` is given here.',
    parameters: 'Up to 1000 members, handed to the adapter. They win over those of a job.',
    test_data_ref: 'Data that its adapter finds at `/test_data`. Absent: the benchmark’s own.',
  },
  Patch: {
    op: 'What is done: RFC 6902 has more, which are refused.',
    path: 'Where, as a JSON Pointer such as `/description` or `/benchmarks/0/weight`. docs/compatibility.md says which may be changed.',
    value: 'What is put there; not with `remove`.',
  },
}
