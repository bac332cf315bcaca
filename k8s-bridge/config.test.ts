import { expect, test } from 'vitest'
import { readBridgeConfig, readMigrateConfig } from './config.ts'

const DATABASE_URL = 'postgres://user@pooler/db'
const LOCAL = { DATABASE_URL, RUNTIME: 'local', IDENTITY_MODE: 'none' }
const CLUSTER = { DATABASE_URL, EVALHUB_IMAGE: 'evalhub:1', FUNCTIONS_URL: 'http://evalhub:8080/', RUN_TOKEN_KEY: 'k'.repeat(32) }

test('the database is reached without the pooler where that is set', () => {
  expect(readBridgeConfig({ ...CLUSTER }).databaseUrl).toBe(DATABASE_URL)
  const DATABASE_DIRECT_URL = 'postgres://user@direct/db'
  expect(readBridgeConfig({ ...CLUSTER, DATABASE_DIRECT_URL }).databaseUrl).toBe(DATABASE_DIRECT_URL)
  expect(readMigrateConfig({ DATABASE_DIRECT_URL }).databaseUrl).toBe(DATABASE_DIRECT_URL)
})

test('jobs are kept for ever and logs for 90 days, unless told', () => {
  expect(readBridgeConfig({ ...CLUSTER }).retention).toEqual({ logDays: 90, evaluationDays: 0 })
  const told = readBridgeConfig({ ...CLUSTER, LOG_RETENTION_DAYS: '0', EVALUATION_RETENTION_DAYS: '365' })
  expect(told.retention).toEqual({ logDays: 0, evaluationDays: 365 })
})

test('adapters of this machine see none of the settings', () => {
  const hiddenVariables = expect.arrayContaining(['DATABASE_URL', 'DB_URL', 'DATABASE_DIRECT_URL', 'RUN_TOKEN_KEY', 'CONFIG_PATH'])
  expect(readBridgeConfig({ ...LOCAL, CALLBACK_URL: 'http://127.0.0.1:9000/' }).runtime).toMatchObject({
    local: { callbackUrl: 'http://127.0.0.1:9000', allowProviderCommands: false, hiddenVariables },
  })
})

test('a cluster’s runs have limits and patience, unless told otherwise', () => {
  const mlflow = { MLFLOW_TRACKING_URI: 'https://mlflow', MLFLOW_CA_CERT_PATH: '/etc/ca.pem', MLFLOW_TOKEN_AUDIENCE: 'mlflow' }
  const testData = {
    TEST_DATA_TIMEOUT: '90m',
    TEST_DATA_MAX_BYTES: '1000',
    TEST_DATA_MEMORY: '4Gi',
    ADAPTER_STORAGE: '100Gi',
    MODEL_SECRET_HOSTS: 'require',
    MODEL_RANGES: '10.0.0.0/8,fd00::/8',
  }
  const told = {
    RUNS_MAX: '9',
    WAIT_QUEUE: '2h',
    WATCHED_NAMESPACES: 'red, blue',
    OCI_CA_CERT_PATH: '/etc/oci.pem',
    HUB_URLS: 'https://evalhub.ns.svc:8443, http://evalhub.ns.svc:8081',
    FUNCTIONS_BEHIND_GATEWAY: 'true',
    ...mlflow,
    ...testData,
  }
  expect(readBridgeConfig({ ...CLUSTER, ...told }).runtime).toMatchObject({
    kubernetes: {
      settings: {
        image: 'evalhub:1',
        functionsUrl: 'http://evalhub:8080',
        hubUrls: ['https://evalhub.ns.svc:8443', 'http://evalhub.ns.svc:8081'],
        functionsAreBehindGateway: true,
        namespace: 'evalhub',
        memoryRetryMax: '32Gi',
        mlflow: { trackingUri: 'https://mlflow', caCertPath: '/etc/ca.pem', tokenAudience: 'mlflow' },
        testData: { timeoutSeconds: 5400, maxBytes: 1000, maxFiles: 100_000, ranges: [] },
        modelRanges: ['10.0.0.0/8', 'fd00::/8'],
        modelSecretHosts: 'require',
        registryCaCertPath: '/etc/oci.pem',
        sizes: { adapter: { storage: { request: '1Gi', limit: '100Gi' } }, init: { memory: { request: '128Mi', limit: '4Gi' } } },
      },
      limits: { perTenant: 50, total: 9 },
      waitLimits: { missingSeconds: 600, capacitySeconds: 86_400, queueSeconds: 7200 },
      namespaces: ['red', 'blue'],
    },
  })
})

test('a Secret without a list of hosts is used with a warning, unless told otherwise', () => {
  expect(readBridgeConfig({ ...CLUSTER }).runtime).toMatchObject({ kubernetes: { settings: { modelSecretHosts: 'warn' } } })
})

test.each([
  [
    {},
    /^The settings are wrong: DATABASE_URL \(database\.url\) or DATABASE_DIRECT_URL \(database\.direct_url\) is required; EVALHUB_IMAGE .*; FUNCTIONS_URL .*; RUN_TOKEN_KEY /,
  ],
  [{ ...CLUSTER, RUN_TOKEN_KEY: 'secret', MEMORY_RETRY_MAX: 'lots' }, /RUN_TOKEN_KEY .* 32 characters.*MEMORY_RETRY_MAX .*quantity/],
  [{ ...CLUSTER, HUB_URLS: 'https://a, secret' }, /HUB_URLS .*must be http or https URLs, separated by commas; number 2 is none/],
  [
    { ...CLUSTER, MODEL_RANGES: '10.0.0.0/8, secret', TEST_DATA_RANGES: '10.0.0.1' },
    /TEST_DATA_RANGES .*must be address ranges such as .*; number 1 is none \(one address ends with \/32.*MODEL_RANGES .*; number 2 is none/,
  ],
  [
    { ...CLUSTER, TEST_DATA_MEMORY: '100Mi' },
    /TEST_DATA_MEMORY \(kubernetes\.test_data_memory\) must be a Kubernetes quantity of 128Mi or more/,
  ],
  [{ ...CLUSTER, MODEL_SECRET_HOSTS: 'yes' }, /MODEL_SECRET_HOSTS \(kubernetes\.model_secret_hosts\) must be off, warn or require/],
  [{ ...CLUSTER, ADAPTER_STORAGE: '0' }, /ADAPTER_STORAGE \(kubernetes\.adapter_storage\) must be a Kubernetes quantity such as 20Gi/],
  [{ ...LOCAL, IDENTITY_MODE: 'oidc' }, /IDENTITY_MODE \(identity\.mode\) must be none where RUNTIME is local/],
  [{ ...LOCAL, IDENTITY_MODE: '' }, /IDENTITY_MODE \(identity\.mode\) must be none where RUNTIME is local/],
  [{ DATABASE_URL: 'mysql://secret', RUNTIME: 'docker', LOG_RETENTION_DAYS: '-1' }, /DATABASE_URL .*; RUNTIME .*; LOG_RETENTION_DAYS /],
])('refuses %j in one line, and repeats no value', (env, complaint) => {
  expect(() => readBridgeConfig(env)).toThrow(complaint)
  expect(() => readBridgeConfig(env)).not.toThrow(/secret\b(?!\))|docker/)
})
