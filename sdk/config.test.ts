import { expect, test } from 'vitest'
import { readAdapterSettings } from './config.ts'

test('an adapter without any setting runs locally with the contract’s paths', () => {
  expect(readAdapterSettings({})).toEqual({
    mode: 'local',
    jobSpecPath: '/meta/job.json',
    serviceAccountDir: '/var/run/secrets/kubernetes.io/serviceaccount',
    modelSecretDir: '/var/run/secrets/model',
    podDataDir: '/data',
    deliverySeconds: 60,
    exportSeconds: 300,
  })
})

test('the mode is read whatever its case and blanks, and nothing else is accepted', () => {
  expect(readAdapterSettings({ EVALHUB_MODE: ' K8S ' }).mode).toBe('k8s')
  expect(() => readAdapterSettings({ EVALHUB_MODE: 'docker' })).toThrow('EVALHUB_MODE must be k8s or local')
})

// A value that cannot be read must not open everything.
test('what the hub of a laptop allows is read as JSON, and anything else refused', () => {
  const allowedPaths = { open: ['/srv'], closed: ['/srv/jobs'] }
  expect(readAdapterSettings({ EVALHUB_ALLOWED_PATHS: JSON.stringify(allowedPaths) }).allowedPaths).toEqual(allowedPaths)
  for (const text of ['', '/srv', '[]', '{"open":"/srv"}'])
    expect(() => readAdapterSettings({ EVALHUB_ALLOWED_PATHS: text })).toThrow(/JSON|expected/)
})
