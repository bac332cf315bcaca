import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readFunctionsConfig } from './config.ts'

const RUN_TOKEN_KEY = 'the key of run tokens in this test'
const PROXY_SECRET = 'what-only-the-proxy-of-this-test-knows'
const ENV = { IDENTITY_MODE: 'headers', RUN_TOKEN_KEY, DATABASE_URL: 'postgres://user@host/db' }

test('what is not set is as the published server has it', () => {
  expect(readFunctionsConfig(ENV)).toEqual({
    databaseUrl: ENV.DATABASE_URL,
    identity: { mode: 'headers', runTokenKey: RUN_TOKEN_KEY, reporters: [] },
    host: '127.0.0.1',
    port: 8080,
    events: { host: '127.0.0.1', port: 8083 },
    readTimeoutMs: 15_000,
    readHeaderTimeoutMs: 15_000,
    writeTimeoutMs: 15_000,
    logStreamTimeoutMs: 300_000,
    idleTimeoutMs: 60_000,
    maxHeaderBytes: 65_536,
    maxBodyBytes: 10_485_760,
    maxLogBytes: 52_428_800,
    maxConcurrentRequests: 2000,
    requestMemoryBytes: 67_108_864,
    quotas: { openRuns: 10_000, jobsPerMinute: 1000, storedBytes: 10 * 1024 ** 3, catalogueEntries: 200 },
    shutdownTimeoutMs: 30_000,
    upstreams: { sidecarUrl: 'http://localhost:8080' },
    health: { host: '0.0.0.0', port: 8081 },
    showsMetrics: true,
    logLevel: 'info',
    unread: [],
  })
})

test('quotas are as they are set, without a bound where that is asked for, and not where there are no identities', () => {
  const set = { QUOTA_OPEN_RUNS: '5', QUOTA_JOBS_PER_MINUTE: '-1' }
  expect(readFunctionsConfig({ ...ENV, ...set }).quotas).toMatchObject({ openRuns: 5, jobsPerMinute: Infinity, catalogueEntries: 200 })
  expect(readFunctionsConfig({ ...ENV, ...set, IDENTITY_MODE: 'none' }).quotas).toBeUndefined()
  expect(() => readFunctionsConfig({ ...ENV, QUOTA_STORED_BYTES: '0' })).toThrow(
    /QUOTA_STORED_BYTES \(quotas\.stored_bytes\) must be 1 or more, or -1/,
  )
})

test('a file of the published server is read, and what it has for others is named', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'evalhub-config-'))
  await writeFile(
    join(folder, 'config.yaml'),
    `service: { port: 9000, host: 0.0.0.0, events_port: 9003, max_request_body_bytes: -1, write_timeout: 20s }
database: { driver: pgx, url: "postgres://user@host/file", max_open_conns: 7 }
prometheus: { enabled: false }
identity: { mode: headers, run_token_key: ${RUN_TOKEN_KEY}, reporters: [ann, bob], proxy_secret: ${PROXY_SECRET} }
mlflow: { tracking_uri: "http://mlflow", http_timeout: 30s }
kubernetes: { instance_name: eval, namespace: hub }
`,
  )
  const config = readFunctionsConfig({ EVAL_HUB_CONFIG_DIR: folder })
  await rm(folder, { recursive: true })
  expect(config).toMatchObject({
    databaseUrl: 'postgres://user@host/file',
    maxConnections: 7,
    identity: { reporters: ['ann', 'bob'], proxySecret: PROXY_SECRET },
    host: '0.0.0.0',
    port: 9000,
    events: { host: '0.0.0.0', port: 9003 },
    showsMetrics: false,
    maxBodyBytes: Infinity,
    writeTimeoutMs: 20_000,
    upstreams: { hubUrl: 'https://eval.hub.svc.cluster.local:8443', mlflowUrl: 'http://mlflow' },
    unread: ['mlflow.http_timeout'],
  })
})

test.each([
  [{ IDENTITY_MODE: 'none', API_HOST: '0.0.0.0' }, /^[^;]*API_HOST \(service\.host\) must be a loopback address[^;]*$/],
  [{ TLS_KEY_FILE: '/key.pem' }, /must be set both, or neither/],
  [{ TLS_CERT_FILE: '/none.pem', TLS_KEY_FILE: '/none.pem' }, /must name a certificate and its key in PEM: ENOENT/],
  [{ METRICS_PORT: '8080' }, /METRICS_PORT \(prometheus\.port\) must differ from PORT/],
  [{ METRICS_PORT: '8080', METRICS_ENABLED: 'false' }, /METRICS_PORT \(prometheus\.port\) must differ from PORT/],
  [{ EVENTS_PORT: '8080' }, /EVENTS_PORT \(service\.events_port\) must differ from PORT/],
  [{ EVENTS_PORT: '8081' }, /METRICS_PORT \(prometheus\.port\) must differ from EVENTS_PORT/],
  [{ PROXY_CA_FILE: '/ca.pem' }, /PROXY_CA_FILE \(identity\.proxy_ca_file\) needs TLS_CERT_FILE/],
  [{ IDENTITY_MODE: 'none', PROXY_CA_FILE: '/ca.pem' }, /PROXY_CA_FILE \(identity\.proxy_ca_file\) is for IDENTITY_MODE=headers/],
  ...['none', 'oidc'].flatMap((mode): [Record<string, string>, RegExp][] => {
    const env = { IDENTITY_MODE: mode, OIDC_ISSUER: 'https://issuer', OIDC_AUDIENCE: 'a' }
    return [
      [
        { ...env, PROXY_SECRET },
        /^[^;]*PROXY_SECRET \(identity\.proxy_secret\) is for IDENTITY_MODE=headers: in other modes leave it out$/,
      ],
      [{ ...env, PROXY_SECRET: 'short' }, /PROXY_SECRET \(identity\.proxy_secret\) is for IDENTITY_MODE=headers/],
      [{ ...env, PROXY_SECRET, PROXY_CA_FILE: '/ca.pem' }, /PROXY_SECRET [^;]*; PROXY_CA_FILE \(identity\.proxy_ca_file\) is for/],
    ]
  }),
  [{ DB_DRIVER: 'sqlite' }, /DB_DRIVER \(database\.driver\) must be pgx: the database is PostgreSQL/],
  [{ DATABASE_URL: 'file::eval_hub:?mode=memory' }, /DATABASE_URL \(database\.url\) must be a URL of PostgreSQL/],
  [{ DATABASE_URL: '' }, /DATABASE_URL \(database\.url\) is required/],
  [{ READ_TIMEOUT: '-1s' }, /READ_TIMEOUT \(service\.read_timeout\) must be a duration/],
  [{ RUN_TOKEN_KEY: 'short' }, /RUN_TOKEN_KEY \(identity\.run_token_key\) must have 32 characters/],
  [{ MAX_REQUEST_BODY_BYTES: '-2' }, /must be 1 or more, or -1 for no bound/],
  [{ PORT: '70000', METRICS_PORT: 'x', LOG_LEVEL: 'loud' }, /PORT .*; METRICS_PORT .*; LOG_LEVEL /],
])('refuses %j in one line', (env, complaint) => {
  expect(() => readFunctionsConfig({ ...ENV, ...env })).toThrow(complaint)
})

// Guarantee: headers are believed of nobody who has not proved to be the proxy.
test.each([
  [{}, true],
  [{ API_HOST: '::1' }, true],
  [{ API_HOST: '0.0.0.0' }, false],
  [{ API_HOST: '::' }, false],
  [{ API_HOST: '10.0.0.1' }, false],
  [{ API_HOST: '127.0.0.1.example.com' }, false],
  [{ API_HOST: '0.0.0.0', PROXY_SECRET: '' }, false],
  [{ API_HOST: '0.0.0.0', PROXY_SECRET: 'x'.repeat(31) }, false],
  [{ API_HOST: '0.0.0.0', PROXY_SECRET: `${'x'.repeat(31)} y` }, false],
  [{ API_HOST: '0.0.0.0', PROXY_SECRET }, true],
])('with %j a hub that believes headers starts: %j', (env, starts) => {
  if (starts) expect(readFunctionsConfig({ ...ENV, ...env }).identity.mode).toBe('headers')
  else expect(() => readFunctionsConfig({ ...ENV, ...env })).toThrow(/PROXY_SECRET/)
})

test('a hub that believes headers of anybody names the three ways out in one sentence', () => {
  expect(() => readFunctionsConfig({ ...ENV, API_HOST: '0.0.0.0' })).toThrow(
    /^The settings are wrong: IDENTITY_MODE [^;]*API_HOST[^;]*PROXY_CA_FILE[^;]*PROXY_SECRET[^;]*$/,
  )
})

test('run tokens have a port of their own wherever there are identities', () => {
  expect(readFunctionsConfig({ ...ENV, EVENTS_HOST: '0.0.0.0', EVENTS_PORT: '1' }).events).toEqual({ host: '0.0.0.0', port: 1 })
  const oidc = { IDENTITY_MODE: 'oidc', OIDC_ISSUER: 'https://issuer', OIDC_AUDIENCE: 'a', API_HOST: '0.0.0.0' }
  expect(readFunctionsConfig({ ...ENV, ...oidc }).events).toEqual({ host: '0.0.0.0', port: 8083 })
  expect(readFunctionsConfig({ ...ENV, IDENTITY_MODE: 'none' }).events).toBeUndefined()
  expect(readFunctionsConfig({ ...ENV, IDENTITY_MODE: 'none', PORT: '8083' }).port).toBe(8083)
})
