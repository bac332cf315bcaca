import type { RunSpec } from '#shared/domain/run-spec.ts'
import type { EvaluationJobConfig } from '#shared/models/evaluation.ts'
import type { Attempt } from './attempt.ts'
import { DEFAULT_SIZES, type KubernetesSettings } from './settings.ts'

export const settings: KubernetesSettings = {
  hubId: '6f1c2d7e-0000-4000-8000-00000000000a',
  namespace: 'evalhub-system',
  image: 'registry.example/evalhub:1',
  imagePullPolicy: 'IfNotPresent',
  imagePullSecrets: [],
  functionsUrl: 'http://evalhub.evalhub-system.svc:8080',
  hubUrls: [],
  functionsAreBehindGateway: false,
  runTokenKey: 'the-key-of-run-tokens',
  sizes: DEFAULT_SIZES,
  memoryRetryMax: '32Gi',
  ttlSeconds: 604_800,
  testData: { timeoutSeconds: 3600, maxBytes: 50 * 1024 ** 3, maxFiles: 100_000, ranges: [] },
  modelRanges: [],
  modelSecretHosts: 'warn',
}

export type Changes = Partial<Omit<Attempt, 'spec' | 'request'>> & { spec?: Partial<RunSpec>; request?: Partial<EvaluationJobConfig> }

/** An attempt as it is claimed: a provider with nothing but an image, a model without credentials. */
export const attemptFor = ({ spec, request, ...key }: Changes = {}): Attempt => ({
  evaluationId: '0197a5c0-1234-7abc-8def-0123456789ab',
  benchmarkIndex: 0,
  attempt: 1,
  tenant: 'team-a',
  oomFailures: 0,
  ...key,
  spec: {
    provider_id: 'lm_evaluation_harness',
    benchmark_id: 'IFEval',
    runtime: { k8s: { Image: 'registry.example/adapter:1', CPURequest: '', CPULimit: '', MemoryRequest: '', MemoryLimit: '' } },
    from_catalogue: true,
    parameters: {},
    deadline_seconds: 3600,
    weight: 1,
    ...spec,
  },
  request: { name: 'test', model: { url: 'https://model.example/v1', name: 'm' }, ...request },
})

/** A Secret's data as Kubernetes answers it. */
export const inBase64 = (data: Record<string, string>) =>
  Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]))
