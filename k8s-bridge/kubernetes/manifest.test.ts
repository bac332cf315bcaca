import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { jobName } from '#shared/domain/attempt-key.ts'
import { JobSpec } from '#shared/models/job-spec.ts'
import { SidecarConfig } from '#shared/models/sidecar-config.ts'
import type { TestDataRef } from '#shared/models/test-data.ts'
import { secretName, specName, throughSidecar } from './attempt.ts'
import { readHardwareProfile, type HardwareProfile } from './hardware-profile.ts'
import { jobFor, secretFor, specFor } from './manifest.ts'
import { readModelSecret, type ModelSecret } from './model-secret.ts'
import { readQuantity } from './quantity.ts'
import { attemptFor, inBase64, settings, type Changes } from './test-attempt.ts'
import type { KubernetesSettings } from './settings.ts'

type Case = Changes & {
  settings?: Partial<KubernetesSettings>
  profile?: HardwareProfile
  modelSecret?: ModelSecret
  hasMlflowCa?: boolean
}

const profileOf = (spec: object) => readHardwareProfile('small', { metadata: {}, spec }) as HardwareProfile
const secretOf = (data: Record<string, string>) => readModelSecret('model-secret', inBase64(data)) as ModelSecret
const withData = (reference: TestDataRef): Case => ({ spec: { test_data_ref: reference } })
const named = { hardware_profile_name: 'small' }

/** One a file in `golden/`. To write them anew after a change that is meant: `npx vitest run k8s-bridge/kubernetes/manifest -u`. */
const CASES: Record<string, Case> = {
  plain: {},
  'hub-behind-gateway': {
    ...withData({ hf: { repo_id: 'org/data' } }),
    settings: { functionsAreBehindGateway: true, hubUrls: ['https://evalhub.evalhub-system.svc:8443'] },
  },
  'all-of-the-provider': {
    spec: {
      runtime: {
        k8s: {
          Image: ' registry.example/adapter:1 ',
          Entrypoint: [' python ', '', 'main.py'],
          CPURequest: '1',
          CPULimit: '4',
          MemoryRequest: '4Gi',
          MemoryLimit: '8Gi',
          image_pull_policy: 'always',
          gpu: { resource: 'nvidia.com/gpu', count: 2, node_selector: { 'nvidia.com/gpu.product': 'L4' } },
          Env: [
            { Name: 'EVALHUB_MODE', Value: 'local' },
            { Name: 'LOG_LEVEL', Value: 'DEBUG' },
            { Name: 'LOG_LEVEL', Value: 'INFO' },
          ],
        },
      },
      parameters: { num_fewshot: 0 },
      num_examples: 50,
      primary_score: { metric: 'acc', source: 'provider' },
    },
  },
  'own-image': { spec: { runtime: { k8s: k8s({ Image: 'evalhub', Entrypoint: ['node', '/app/builtin.mjs'] }) } } },
  'image-of-a-tenant': { spec: { runtime: { k8s: k8s({ Image: 'evalhub' }) }, from_catalogue: false } },
  'own-hardware': {
    spec: {
      runtime: { k8s: k8s({ gpu: { resource: 'nvidia.com/gpu', count: 1, node_selector: { zone: 'a' } } }) },
      hardware_config: { cpu: { request: '2', limit: '2' }, memory: { limit: '16Gi' }, gpu: { name: 'amd.com/gpu', count: 4 } },
    },
  },
  'own-storage': {
    settings: { testData: { timeoutSeconds: 60, maxBytes: 2 ** 30, maxFiles: 1024, ranges: [] } },
    spec: {
      test_data_ref: { git: { url: 'https://git.example/a.git', ref: 'main' } },
      runtime: { k8s: k8s({ EphemeralStorageRequest: '5Gi', EphemeralStorageLimit: '60Gi' }) },
      hardware_config: { ephemeral_storage: { limit: '90Gi' } },
    },
  },
  'own-queue': {
    spec: {
      runtime: { k8s: k8s({ gpu: { resource: 'nvidia.com/gpu', count: 1, node_selector: { zone: 'a' } } }) },
      hardware_config: { queue: { kind: 'kueue', name: 'team-a' } },
    },
  },
  'deprecated-queue': { request: { queue: { kind: 'kueue', name: 'team-b' } } },
  'profile-with-nodes': {
    spec: { hardware_config: named },
    profile: profileOf({
      identifiers: [
        { identifier: 'cpu', resourceType: 'CPU', defaultCount: 2, maxCount: '4' },
        { identifier: 'memory', resourceType: 'Memory', defaultCount: '8Gi', maxCount: '16Gi' },
        { identifier: 'nvidia.com/gpu', resourceType: 'Accelerator', defaultCount: 1.5 },
      ],
      scheduling: {
        type: 'Node',
        node: { nodeSelector: { pool: 'gpu' }, tolerations: [{ key: 'gpu', operator: 'Exists', effect: 'NoSchedule' }] },
      },
    }),
  },
  'profile-with-queue': {
    spec: { hardware_config: named },
    profile: profileOf({ scheduling: { type: 'Queue', kueue: { localQueueName: 'Shared_Queue', priorityClass: 'high' } } }),
  },
  'out-of-memory-before': { oomFailures: 2 },
  'model-secret': {
    request: { model: { url: 'https://model.example/v1/?a=1', name: 'm', auth: { secret_ref: 'model-secret' } } },
    modelSecret: secretOf({
      'api-key': 'sk-1',
      judge_sa_token: '',
      judge_url: 'https://judge.example:8443/v1/',
      'hf-token': 'hf',
      ca_cert: 'PEM',
      other: 'x',
    }),
  },
  'model-secret-with-hub-token': {
    spec: { runtime: { k8s: k8s({ needs_hf_token: true }) } },
    request: { model: { url: 'https://model.example/v1', name: 'm', auth: { secret_ref: 'model-secret' } } },
    modelSecret: secretOf({ 'api-key': 'sk-1', 'hf-token': 'hf' }),
  },
  'model-secret-without-credentials': {
    request: { model: { url: 'http://model/v1', name: 'm', auth: { secret_ref: 'model-secret' } } },
    modelSecret: secretOf({ ca_cert: 'PEM' }),
  },
  'no-model': { request: { model: { url: '', name: 'recorded', auth: { secret_ref: 'unused' } } } },
  's3-data': {
    ...withData({ s3: { bucket: ' data ', key: ' //sets/a ', secret_ref: 's3-secret' } }),
    settings: { testData: { timeoutSeconds: 60, maxBytes: 1e15, maxFiles: 9, ranges: ['10.0.0.0/8', 'fd00::/8'] } },
  },
  'git-data': withData({ git: { url: 'https://git.example/team/data.git', ref: 'main', sub_path: 'sets', secret_ref: 'git-secret' } }),
  'hugging-face-data': {
    ...withData({ hf: { repo_id: 'org/data', revision: 'v1', sub_path: 'sets', secret_ref: 'hf-secret' } }),
    settings: { huggingFaceEndpoint: 'https://hf.example' },
  },
  'claimed-data': withData({ pvc: { claim_name: 'sets', sub_path: 'a' } }),
  export: {
    settings: { registryCaCertPath: '/etc/registry/ca.pem', modelRanges: ['10.1.0.0/16', 'fd00:1::/32'] },
    request: {
      exports: { oci: { coordinates: { oci_host: 'quay.example', oci_repository: 'org/repo' }, k8s: { connection: 'registry' } } },
    },
  },
  'installation-with-mlflow': {
    request: { experiment: { name: 'exp', tags: [{ key: 'env', value: 'ci' }] } },
    settings: { instanceName: 'evalhub', mlflow: { trackingUri: 'https://mlflow.example' } },
    hasMlflowCa: true,
  },
  'mlflow-with-own-ca': { settings: { mlflow: { trackingUri: 'https://mlflow.example', caCertPath: '/etc/ssl/mlflow.pem' } } },
  'mlflow-with-audience': { settings: { mlflow: { trackingUri: 'https://mlflow.example', tokenAudience: 'mlflow.example' } } },
  'private-images': { settings: { imagePullSecrets: ['pull-a', 'pull-b'], imagePullPolicy: 'Always' } },
  'without-tenant': { tenant: '' },
}

function k8s(changes: object) {
  return { Image: 'registry.example/adapter:1', CPURequest: '', CPULimit: '', MemoryRequest: '', MemoryLimit: '', ...changes }
}

function objectsOf({ settings: changed, profile, modelSecret, hasMlflowCa = false, ...changes }: Case) {
  const attempt = attemptFor(changes)
  const all = { ...settings, ...changed }
  const surroundings = { profile, modelSecret, hasMlflowCa }
  const jobUid = '00000000-0000-4000-8000-000000000001'
  return [
    jobFor(attempt, all, surroundings),
    specFor(attempt, all, surroundings, jobUid),
    secretFor(attempt, all, surroundings, { jobUid, runToken: 'evalhub-run.0.1.f00d' }),
  ] as const
}

const goldenDirectory = join(import.meta.dirname, 'golden')
// Read before a missing file is written.
const goldenFiles = readdirSync(goldenDirectory).sort()

describe('the objects of an attempt', () => {
  test.each(Object.entries(CASES))('%s: are exactly these', async (name, example) => {
    const text = objectsOf(example)
      .map((object) => stringify(object, { aliasDuplicateObjects: false, lineWidth: 0 }))
      .join('---\n')

    await expect(text).toMatchFileSnapshot(join(goldenDirectory, `${name}.yaml`))
  })

  test('have a golden file each, and no file is left over', () => {
    expect(goldenFiles).toEqual(
      Object.keys(CASES)
        .map((name) => `${name}.yaml`)
        .sort(),
    )
  })

  test.each(Object.entries(CASES))('%s: show the run token and the hub’s key to nobody but the sidecar', (_name, example) => {
    const [job, spec, secret] = objectsOf(example)
    const adapter = job.spec?.template.spec?.containers[0]
    const mounted = new Set(adapter?.volumeMounts?.map(({ name }) => name))
    const volumes = job.spec?.template.spec?.volumes?.filter(({ name }) => mounted.has(name))

    expect(JSON.stringify([job, spec])).not.toContain('evalhub-run.0.1')
    expect(JSON.stringify([job, spec, secret])).not.toContain(settings.runTokenKey)
    expect(JSON.stringify(volumes)).not.toMatch(/"run-token"|serviceAccountToken|dockerconfigjson/)
    expect(job.spec?.template.spec?.automountServiceAccountToken).toBe(false)
  })
})

// Guarantee: no run fills the disk of its node, and a namespace whose quota counts ephemeral storage takes its pod.
test.each(Object.entries(CASES))(
  '%s: every volume that a run writes has a size, and every container asks for storage and is held to it',
  (_name, example) => {
    const [job] = objectsOf(example)
    const { containers, initContainers = [], volumes = [] } = job.spec!.template.spec!
    for (const { resources } of [...containers, ...initContainers]) {
      for (const side of [resources?.requests, resources?.limits]) {
        expect(readQuantity(side?.['ephemeral-storage'] ?? '')).toBeGreaterThan(0)
      }
    }
    const sizes = volumes.flatMap(({ emptyDir }) => (emptyDir ? [readQuantity(emptyDir.sizeLimit ?? '') ?? Infinity] : []))
    const held = [containers[0], initContainers.at(-1)].map((one) => readQuantity(one?.resources?.limits?.['ephemeral-storage'] ?? '') ?? 0)
    const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)
    // The kubelet holds a pod to the limits of its containers together: less would take a pod away whose every volume is within its size.
    expect(sum(sizes)).toBeLessThanOrEqual(sum(held))
  },
)

// Guarantee: an adapter, which is anybody's code, gets the one credential that no sidecar can stand in for only if its provider says that it must.
test.each(Object.entries(CASES))('%s: hf-token reaches the adapter only if its provider declares needs_hf_token', (name, example) => {
  const [job] = objectsOf(example)
  const { containers, volumes = [] } = job.spec!.template.spec!
  const mounted = new Set(containers[0]?.volumeMounts?.map((mount) => mount.name))
  const seen = JSON.stringify(volumes.filter((volume) => mounted.has(volume.name)))
  expect(seen.includes('hf-token')).toBe(name === 'model-secret-with-hub-token')
})

test.each(Object.entries(CASES))('%s: the ConfigMap holds what the sidecar and the adapter read', (_name, example) => {
  const [, { data = {} }] = objectsOf(example)
  const read = (file: string): unknown => JSON.parse(data[file] ?? '')

  expect(SidecarConfig.parse(read('sidecar_config.json'))).toEqual(read('sidecar_config.json'))
  expect(JobSpec.parse(read('job.json'))).toEqual(read('job.json'))
})

describe('names', () => {
  const numbers = fc.oneof(fc.nat(9), fc.nat(9999), fc.nat(999_999))
  const keys = fc
    .record({ evaluationId: fc.uuid(), benchmarkIndex: numbers, attempt: fc.integer({ min: 1, max: 9999 }) })
    .filter(({ benchmarkIndex, attempt }) => `${benchmarkIndex}${attempt}`.length <= 7)
  const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

  test('are labels of DNS for any id, index and attempt', () => {
    fc.assert(
      fc.property(keys, (key) => {
        for (const name of [jobName(key), specName(key), secretName(key)]) expect(name).toMatch(label)
      }),
    )
  })

  test('differ for any two attempts', () => {
    fc.assert(
      fc.property(keys, keys, (one, other) => {
        const isSame = JSON.stringify(one) === JSON.stringify(other)
        expect(jobName(one) === jobName(other)).toBe(isSame)
      }),
    )
  })
})

describe('throughSidecar', () => {
  test.each([
    ['https://m.x/v1', 'http://localhost:8080/v1'],
    ['https://m.x/v1/', 'http://localhost:8080/v1'],
    ['https://m.x', 'http://localhost:8080'],
    ['https://m.x/', 'http://localhost:8080'],
    ['HTTP://user:word@m.x:8000/a%2Fb/../c?q=/#f', 'http://localhost:8080/a%2Fb/../c?q=/#f'],
    ['http://[::1]:11434/v1', 'http://localhost:8080/v1'],
    ['https://m.x?key=1', 'http://localhost:8080?key=1'],
  ])('%s becomes %s', (url, expected) => {
    expect(throughSidecar(url)).toBe(expected)
  })
})
