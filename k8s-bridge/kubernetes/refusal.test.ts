import { describe, expect, test } from 'vitest'
import type { RunSpec } from '#shared/domain/run-spec.ts'
import { modelRefusal, refusalOf } from './refusal.ts'
import { attemptFor, settings } from './test-attempt.ts'

const k8s = (changes: object) => ({
  runtime: { k8s: { Image: 'a', CPURequest: '', CPULimit: '', MemoryRequest: '', MemoryLimit: '', ...changes } },
})
const s3 = { bucket: 'b', key: 'k', secret_ref: 's' }

describe('refusalOf', () => {
  test.each<[string, Partial<RunSpec>, string, RegExp]>([
    ['without a runtime for Kubernetes', { runtime: {} }, 'missing_config', /Provider lm_evaluation_harness .* runtime\.k8s\.image/],
    ['without an image', k8s({ Image: ' ' }), 'missing_config', /it has no image/],
    ['with a size that is none', k8s({ MemoryLimit: '2GB' }), 'rejected', /^runtime\.k8s\.memory_limit .* '2GB'/],
    [
      'with a job’s size that is none',
      { hardware_config: { cpu: { request: 'two' } } },
      'rejected',
      /^hardware_config\.cpu\.request .* 'two'/,
    ],
    ['with storage that is none', k8s({ EphemeralStorageLimit: 'lots' }), 'rejected', /^runtime\.k8s\.ephemeral_storage_limit .* 'lots'/],
    [
      'with a job’s storage that is none',
      { hardware_config: { ephemeral_storage: { request: '1 Gi' } } },
      'rejected',
      /^hardware_config\.ephemeral_storage\.request .* '1 Gi'/,
    ],
    ['with fewer than no accelerators', { hardware_config: { gpu: { count: -1 } } }, 'rejected', /gpu\.count is negative/],
    ['on a blank bucket', { test_data_ref: { s3: { ...s3, bucket: ' ' } } }, 'missing_config', /bucket, a key and a secret_ref/],
    ['on the key of a bucket’s root', { test_data_ref: { s3: { ...s3, key: ' / ' } } }, 'missing_config', /bucket, a key and a secret_ref/],
    [
      'with a profile of an unknown namespace',
      { hardware_config: { hardware_profile_name: 'p' } },
      'missing_config',
      /EVALHUB_HARDWARE_PROFILES_NAMESPACE/,
    ],
  ])('refuses a run %s', (_what, spec, failureClass, message) => {
    expect(refusalOf(attemptFor({ spec }).spec, settings)).toEqual({ failureClass, message: expect.stringMatching(message) })
  })

  test.each<[string, Partial<RunSpec>]>([
    ['with nothing but an image', {}],
    ['on a bucket', { test_data_ref: { s3 } }],
    ['with sizes', { hardware_config: { cpu: { request: '500m' }, memory: { limit: '1e9' } } }],
  ])('takes a run %s', (_what, spec) => {
    expect(refusalOf(attemptFor({ spec }).spec, settings)).toBeUndefined()
  })

  test('takes a run with a profile where profiles are known', () => {
    const spec = attemptFor({ spec: { hardware_config: { hardware_profile_name: 'p' } } }).spec

    expect(refusalOf(spec, { ...settings, hardwareProfilesNamespace: 'platform' })).toBeUndefined()
  })
})

describe('modelRefusal', () => {
  test.each(['', 'http://m', 'https://m.example/v1', 'HTTPS://[::1]:1/'])('takes "%s"', (url) => {
    expect(modelRefusal(attemptFor({ request: { model: { url, name: 'm' } } }).request)).toBeUndefined()
  })

  test.each(['ftp://m', 'mailto:m', 'http:///v1', 'http:m', 'http:\\\\m', 'http://:80'])('refuses "%s"', (url) => {
    expect(modelRefusal(attemptFor({ request: { model: { url, name: 'm' } } }).request)).toMatchObject({ failureClass: 'rejected' })
  })
})
