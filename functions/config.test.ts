import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readFunctionsConfig } from './config.ts'

const RUN_TOKEN_KEY = 'the key of run tokens in this test'
const ENV = { IDENTITY_MODE: 'headers', RUN_TOKEN_KEY, DATABASE_URL: 'postgres://user@host/db' }

test('what is not set is as the published server has it', () => {
  expect(readFunctionsConfig(ENV)).toEqual({
    databaseUrl: ENV.DATABASE_URL,
    identity: { mode: 'headers', runTokenKey: RUN_TOKEN_KEY, reporters: [] },
    host: '127.0.0.1',
    port: 8080,
    readTimeoutMs: 15_000,
    readHeaderTimeoutMs: 15_000,
    writeTimeoutMs: 15_000,
    logStreamTimeoutMs: 300_000,
    idleTimeoutMs: 60_000,
    maxHeaderBytes: 1_048_576,
    maxBodyBytes: 10_485_760,
    maxLogBytes: 52_428_800,
    maxConcurrentRequests: 2000,
    requestMemoryBytes: 67_108_864,
    shutdownTimeoutMs: 30_000,
    upstreams: { sidecarUrl: 'http://localhost:8080' },
    metrics: { host: '0.0.0.0', port: 8081 },
    logLevel: 'info',
    unread: [],
  })
})

test('a file of the published server is read, and what it has for others is named', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'evalhub-config-'))
  await writeFile(
    join(folder, 'config.yaml'),
    `service: { port: 9000, host: 0.0.0.0, max_request_body_bytes: -1, write_timeout: 20s }
database: { driver: pgx, url: "postgres://user@host/file", max_open_conns: 7 }
prometheus: { enabled: false }
identity: { mode: headers, run_token_key: ${RUN_TOKEN_KEY}, reporters: [ann, bob] }
mlflow: { tracking_uri: "http://mlflow", http_timeout: 30s }
kubernetes: { instance_name: eval, namespace: hub }
`,
  )
  const { metrics, ...config } = readFunctionsConfig({ EVAL_HUB_CONFIG_DIR: folder })
  await rm(folder, { recursive: true })
  expect(metrics).toBeUndefined()
  expect(config).toMatchObject({
    databaseUrl: 'postgres://user@host/file',
    maxConnections: 7,
    identity: { reporters: ['ann', 'bob'] },
    host: '0.0.0.0',
    port: 9000,
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

test('metrics that nobody serves take no port', () => {
  expect(readFunctionsConfig({ ...ENV, METRICS_PORT: '8080', METRICS_ENABLED: 'false' }).metrics).toBeUndefined()
})
