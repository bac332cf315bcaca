/** A request body that works as it stands. */
export type Example = { summary: string; value: unknown }

const MODEL = { url: 'http://localhost:11434/v1', name: 'llama3.2' }

/** Of a hub with the shipped catalogue. */
const ARITHMETIC = { provider_id: 'builtin', id: 'arithmetic_problems' }
const CAPITALS = { provider_id: 'builtin', id: 'world_capitals' }

const COLLECTION = {
  name: 'Morning check',
  description: 'What is looked at each morning.',
  category: 'general',
  tags: ['daily'],
  pass_criteria: { threshold: 0.6 },
  benchmarks: [
    { ...ARITHMETIC, weight: 2, pass_criteria: { threshold: 0.5 }, parameters: { num_examples: 20 } },
    { ...CAPITALS, parameters: { num_examples: 20 } },
  ],
}

const PROVIDER = {
  name: 'house',
  title: 'House benchmarks',
  description: 'What our models must be able to do.',
  tags: ['house'],
  benchmarks: [
    {
      id: 'tone',
      name: 'Tone of letters',
      category: 'style',
      metrics: ['acc'],
      dataset_size: 200,
      primary_score: { metric: 'acc' },
      pass_criteria: { threshold: 0.8 },
    },
  ],
  runtime: { k8s: { Image: 'registry.example.com/house-adapter:1', CPURequest: '500m', MemoryRequest: '1Gi' } },
}

const run = { ...ARITHMETIC, benchmark_index: 0 }

/**
 * Bodies of requests by the model of the body, or the name that its route gives. Each is taken as it stands by a hub with the shipped catalogue;
 * of those that name a thing, by the one that the first example of its kind creates.
 */
export const EXAMPLES: Readonly<Record<string, Readonly<Record<string, Example>>>> = {
  EvaluationJobConfig: {
    benchmarks: {
      summary: 'Two benchmarks',
      value: {
        name: 'first',
        tags: ['nightly'],
        model: MODEL,
        pass_criteria: { threshold: 0.7 },
        benchmarks: [
          { ...ARITHMETIC, weight: 3, parameters: { num_examples: 50 } },
          { ...CAPITALS, parameters: { num_examples: 50 } },
        ],
      },
    },
    collection: { summary: 'A collection', value: { name: 'first', model: MODEL, collection: { id: 'starter-v1' } } },
  },
  JobBatch: {
    models: {
      summary: 'The same of two models',
      value: {
        jobs: ['llama3.2', 'qwen2.5'].map((name) => ({
          name: `first ${name}`,
          model: { ...MODEL, name },
          collection: { id: 'starter-v1' },
        })),
      },
    },
  },
  JobIds: { ids: { summary: 'One job', value: { ids: ['0197a6f2-7c1e-7d3a-9b52-4f6e8a1c2d30'] } } },
  StatusEvent: {
    progress: {
      summary: 'A run is half done',
      value: { benchmark_status_event: { ...run, status: 'running', phase: 'running_evaluation', progress: 0.5 } },
    },
    completed: {
      summary: 'A run has results',
      value: {
        benchmark_status_event: {
          ...run,
          status: 'completed',
          phase: 'completed',
          metrics: { exact_match: 0.84, exact_match_stderr: 0.052 },
          additional_info: { statistics: { exact_match: { n: 50, stderr: 0.052, planned: 50, scored: 50, failed: 0 } } },
        },
      },
    },
    failed: {
      summary: 'A run has failed',
      value: {
        benchmark_status_event: {
          ...run,
          status: 'failed',
          error_message: { message: 'The endpoint knows no such model: is its name right?', message_code: 'model_not_found' },
        },
      },
    },
  },
  ProviderConfig: { provider: { summary: 'A provider with one benchmark', value: PROVIDER } },
  ProviderPatch: {
    description: {
      summary: 'Another description',
      value: [{ op: 'replace', path: '/description', value: 'What all our models must be able to do.' }],
    },
  },
  CollectionConfig: { collection: { summary: 'A collection of two benchmarks', value: COLLECTION } },
  CollectionPatch: {
    weight: { summary: 'Another weight', value: [{ op: 'replace', path: '/benchmarks/0/weight', value: 3 }] },
  },
}
