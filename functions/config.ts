import { existsSync, readFileSync } from 'node:fs'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import type { Quotas } from '#shared/domain/quota.ts'
import { DEFAULT_UPSTREAMS, type Upstreams } from '#shared/domain/rewrite-urls.ts'
import { Count, DatabaseUrl, Duration, HttpUrl, Limit, Port, processSettings } from '#shared/models/setting.ts'
import { complaints, gatherSettings, settingsOf, type Files, type Setting } from '#shared/settings.ts'
import type { LogLevel } from '#shared/log.ts'
import { IdentityConfig } from './identity-config.ts'
import type { Identity } from './identity/identity.ts'
import { quotaSettings, toQuotas } from './quota-config.ts'
import { readAuthority, readTls, type TlsFiles } from './tls.ts'

/** Addresses that only this machine reaches. */
export const LOOPBACK_ADDRESS = /^(localhost|127(\.\d{1,3}){3}|::1)$/

const seconds = (path: string, fallback: string, description: string) => Duration.prefault(fallback).meta({ path, description })

const Settings = z.object({
  DATABASE_URL: DatabaseUrl.meta({
    path: 'database.url',
    aliases: ['DB_URL'],
    description: 'the database; a pooler in front of it will do (secret)',
  }),
  DB_DRIVER: z
    .enum(['pgx', 'postgres'], 'must be pgx: the database is PostgreSQL')
    .default('pgx')
    .meta({ path: 'database.driver', description: 'read for the published server’s sake' }),
  DATABASE_MAX_CONNECTIONS: Count.optional().meta({
    path: 'database.max_open_conns',
    description: 'connections at most; twice the cores unless set',
  }),
  API_HOST: z.string().default('127.0.0.1').meta({ path: 'service.host', description: 'address to listen on; `0.0.0.0` in a container' }),
  PORT: Port.default(8080).meta({ path: 'service.port', description: 'port to listen on; 0 takes any free one' }),
  EVENTS_PORT: Port.default(8083).meta({
    path: 'service.events_port',
    description:
      'port of its own for events with run tokens, the only one that runs’ pods need; 0 takes any free one. Not with `IDENTITY_MODE=none`',
  }),
  EVENTS_HOST: z.string().optional().meta({ path: 'service.events_host', description: 'its address; that of `API_HOST` unless set' }),
  TLS_CERT_FILE: z
    .string()
    .optional()
    .meta({ path: 'service.tls_cert_file', description: 'certificate chain, PEM; with it HTTPS is served' }),
  TLS_KEY_FILE: z.string().optional().meta({ path: 'service.tls_key_file', description: 'its private key, PEM' }),
  READ_TIMEOUT: seconds('service.read_timeout', '15s', 'for a whole request to arrive'),
  READ_HEADER_TIMEOUT: seconds('service.read_header_timeout', '15s', 'for the headers of a request to arrive'),
  WRITE_TIMEOUT: seconds(
    'service.write_timeout',
    '15s',
    'for an answer to be ready, else `unavailable`; it is cut off if it is not sent 5 s later',
  ),
  LOG_STREAM_TIMEOUT: seconds('service.log_stream_timeout', '5m', 'for an answer of the log routes to be sent, and 30 s more'),
  IDLE_TIMEOUT: seconds('service.idle_timeout', '60s', 'for which a connection is kept without a request'),
  MAX_HEADER_BYTES: Count.default(65_536).meta({
    path: 'service.max_header_bytes',
    description: 'headers of a request on `PORT`; longer ones are refused. The other ports take 16 KiB at most',
  }),
  MAX_REQUEST_BODY_BYTES: Limit.prefault('10485760').meta({
    path: 'service.max_request_body_bytes',
    description: 'body of a request, else `request_body_too_large`; -1 for no bound',
  }),
  MAX_LOG_RESPONSE_BYTES: Limit.prefault('52428800').meta({
    path: 'service.max_log_response_bytes',
    description: 'logs in one answer, which ends there with the trailer `X-Log-Truncated`; -1 for no bound',
  }),
  MAX_CONCURRENT_REQUESTS: Count.default(2000).meta({
    path: 'service.max_concurrent_requests',
    description:
      'requests of `/api/v1/evaluations` at work at once; more are answered `unavailable`, with `Retry-After`. Each port takes 1000 connections more than this at once, and closes others',
  }),
  REQUEST_MEMORY_BYTES: Count.default(67_108_864).meta({
    path: 'service.request_memory_bytes',
    description: 'what bodies and answers may take of this process’s memory together; more are answered `unavailable`, with `Retry-After`',
  }),
  ...quotaSettings,
  EVALHUB_INSTANCE_NAME: z.string().optional().meta({
    path: 'kubernetes.instance_name',
    description: 'name of an installation that an operator made; adapters’ messages then name its Service in place of their sidecar',
  }),
  EVALHUB_NAMESPACE: z.string().default('evalhub').meta({ path: 'kubernetes.namespace', description: 'namespace of that Service' }),
  MLFLOW_TRACKING_URI: HttpUrl.optional().meta({
    path: 'mlflow.tracking_uri',
    description: 'MLflow, which adapters’ messages name in place of their sidecar',
  }),
  SHUTDOWN_TIMEOUT: seconds('service.shutdown_timeout', '30s', 'for requests under way to end after SIGTERM'),
  ...processSettings,
})

const identitySetting = (name: string, path: string, description: string): Setting => ({
  name,
  path: `identity.${path}`,
  description,
  aliases: [],
})

const IDENTITY_SETTINGS = [
  identitySetting('IDENTITY_MODE', 'mode', '`none`, `headers` or `oidc`: [identity.md](identity.md), as for all of these'),
  identitySetting('RUN_TOKEN_KEY', 'run_token_key', 'key of run tokens, the same for functions and bridge (secret)'),
  identitySetting('IDENTITY_REPORTERS', 'reporters', 'users that may post events without a run token'),
  identitySetting('PROXY_SECRET', 'proxy_secret', 'what the proxy proves itself with in `X-Proxy-Secret`, 32 characters or more (secret)'),
  identitySetting('PROXY_CA_FILE', 'proxy_ca_file', 'authority, PEM, of the client certificates with which the proxy proves itself'),
  identitySetting('OIDC_ISSUER', 'oidc.issuer', 'the issuer of tokens'),
  identitySetting('OIDC_AUDIENCE', 'oidc.audience', 'the audience of tokens'),
  identitySetting('OIDC_JWKS_URL', 'oidc.jwks_url', 'where the issuer’s keys are'),
  identitySetting('OIDC_USER_CLAIM', 'oidc.user_claim', 'claim that names the user'),
  identitySetting('OIDC_TENANT_CLAIM', 'oidc.tenant_claim', 'claim that lists the tenants'),
  identitySetting('OIDC_SCOPE_CLAIM', 'oidc.scope_claim', 'claim that lists the scopes'),
  identitySetting('OIDC_DEFAULT_SCOPE', 'oidc.default_scope', '`read` or `write`: what a token without scopes may do'),
]

/** Every setting of this process, in the order of its documentation. */
export const FUNCTIONS_SETTINGS: readonly Setting[] = [...settingsOf(Settings), ...IDENTITY_SETTINGS]

export type FunctionsConfig = {
  databaseUrl: string
  /** Undefined: as many as `connect` thinks best. */
  maxConnections?: number
  identity: Identity
  host: string
  port: number
  /** Where events are taken for run tokens, apart from all else. Undefined where there are no identities. */
  events?: { host: string; port: number }
  /** A certificate and a key that fit. */
  tls?: TlsFiles
  /** The authority without whose client certificate nothing is taken on `port`. */
  proxyCaFile?: string
  readTimeoutMs: number
  readHeaderTimeoutMs: number
  writeTimeoutMs: number
  logStreamTimeoutMs: number
  idleTimeoutMs: number
  maxHeaderBytes: number
  maxBodyBytes: number
  maxLogBytes: number
  maxConcurrentRequests: number
  requestMemoryBytes: number
  /** Of each tenant; undefined where there are no identities. */
  quotas?: Quotas
  shutdownTimeoutMs: number
  /** What is behind adapters' sidecars. */
  upstreams: Upstreams
  /** Where probes are answered, and metrics if they are shown. */
  health: { host: string; port: number }
  showsMetrics: boolean
  logLevel: LogLevel
  /** Paths in the files that this process does not read. */
  unread: string[]
}

const nodeFiles: Files = {
  readText: (path) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined),
  exists: existsSync,
  parseYaml,
}

/** What `npm run start:functions` shall do, by its environment and files. Throws one line that names every mistake, and no value. */
export function readFunctionsConfig(env: Readonly<Record<string, string | undefined>> = process.env): FunctionsConfig {
  const { values, mistakes, unread } = gatherSettings(FUNCTIONS_SETTINGS, env, nodeFiles)
  const settings = Settings.safeParse(values)
  const identity = IdentityConfig.safeParse(values)
  const issues = [settings, identity].flatMap(({ error }) => error?.issues ?? [])
  const { mistakes: tlsMistakes, ...tls } = tlsFiles(values)
  const all = [...mistakes, ...complaints(FUNCTIONS_SETTINGS, issues), ...tlsMistakes, ...placeMistakes(values), ...proxyMistakes(values)]
  if (!settings.success || !identity.success || all.length > 0) throw new Error(`The settings are wrong: ${all.join('; ')}`)
  return { ...toConfig(settings.data, identity.data), ...tls, unread }
}

function toConfig(settings: z.output<typeof Settings>, identity: Identity): Omit<FunctionsConfig, 'unread'> {
  return {
    databaseUrl: settings.DATABASE_URL,
    ...(settings.DATABASE_MAX_CONNECTIONS !== undefined && { maxConnections: settings.DATABASE_MAX_CONNECTIONS }),
    identity,
    host: settings.API_HOST,
    port: settings.PORT,
    ...(identity.mode !== 'none' && { events: { host: settings.EVENTS_HOST ?? settings.API_HOST, port: settings.EVENTS_PORT } }),
    readTimeoutMs: settings.READ_TIMEOUT,
    readHeaderTimeoutMs: settings.READ_HEADER_TIMEOUT,
    writeTimeoutMs: settings.WRITE_TIMEOUT,
    logStreamTimeoutMs: settings.LOG_STREAM_TIMEOUT,
    idleTimeoutMs: settings.IDLE_TIMEOUT,
    maxHeaderBytes: settings.MAX_HEADER_BYTES,
    maxBodyBytes: settings.MAX_REQUEST_BODY_BYTES,
    maxLogBytes: settings.MAX_LOG_RESPONSE_BYTES,
    maxConcurrentRequests: settings.MAX_CONCURRENT_REQUESTS,
    requestMemoryBytes: settings.REQUEST_MEMORY_BYTES,
    ...(identity.mode !== 'none' && { quotas: toQuotas(settings) }),
    shutdownTimeoutMs: settings.SHUTDOWN_TIMEOUT,
    upstreams: toUpstreams(settings),
    health: { host: settings.METRICS_HOST, port: settings.METRICS_PORT },
    showsMetrics: settings.METRICS_ENABLED,
    logLevel: settings.LOG_LEVEL,
  }
}

/** Source: section 3.7 of the published contract. */
function toUpstreams({
  EVALHUB_INSTANCE_NAME: name,
  EVALHUB_NAMESPACE: namespace,
  MLFLOW_TRACKING_URI: mlflowUrl,
}: z.output<typeof Settings>): Upstreams {
  return {
    ...DEFAULT_UPSTREAMS,
    ...(name !== undefined && { hubUrl: `https://${name}.${namespace}.svc.cluster.local:8443` }),
    ...(mlflowUrl !== undefined && { mlflowUrl }),
  }
}

type TlsSettings = { tls?: TlsFiles; proxyCaFile?: string; mistakes: string[] }

/** Certificate and key, if both are named and fit, and the authority of the proxy's certificates. */
function tlsFiles({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile, PROXY_CA_FILE: proxyCaFile }: Record<string, string>): TlsSettings {
  if (certFile === undefined && keyFile === undefined) {
    const needed =
      'PROXY_CA_FILE (identity.proxy_ca_file) needs TLS_CERT_FILE (service.tls_cert_file): certificates are shown over TLS only'
    return { mistakes: proxyCaFile === undefined ? [] : [needed] }
  }
  if (certFile === undefined || keyFile === undefined) {
    return { mistakes: ['TLS_CERT_FILE (service.tls_cert_file) and TLS_KEY_FILE (service.tls_key_file) must be set both, or neither'] }
  }
  const tls = { certFile, keyFile }
  const mistakes = [
    ...complaintOf(() => readTls(tls), 'TLS_CERT_FILE and TLS_KEY_FILE must name a certificate and its key in PEM'),
    ...complaintOf(() => proxyCaFile && readAuthority(proxyCaFile), 'PROXY_CA_FILE must name certificates in PEM'),
  ]
  return { tls, ...(proxyCaFile !== undefined && { proxyCaFile }), mistakes }
}

function complaintOf(read: () => unknown, rule: string): string[] {
  try {
    read()
    return []
  } catch (error) {
    return [`${rule}: ${error instanceof Error ? error.message : String(error)}`]
  }
}

const valueOf = (values: Record<string, string>, name: string) =>
  values[name] ?? FUNCTIONS_SETTINGS.find((setting) => setting.name === name)?.fallback ?? ''

function placeMistakes(values: Record<string, string>): string[] {
  const mistakes: string[] = []
  if (values.IDENTITY_MODE === 'none' && !LOOPBACK_ADDRESS.test(valueOf(values, 'API_HOST'))) {
    mistakes.push('API_HOST (service.host) must be a loopback address: a hub without identities answers on its own machine only')
  }
  const settings = FUNCTIONS_SETTINGS.filter(
    ({ name }) => name.endsWith('PORT') && !(name === 'EVENTS_PORT' && values.IDENTITY_MODE === 'none'),
  )
  for (const [at, { name, path }] of settings.entries()) {
    const port = valueOf(values, name)
    const other = settings.slice(0, at).find((earlier) => port !== '0' && valueOf(values, earlier.name) === port)
    if (other) mistakes.push(`${name} (${path}) must differ from ${other.name} (${other.path})`)
  }
  return mistakes
}

/** The hub believes its headers, so it must know that the proxy has written them. */
function proxyMistakes(values: Record<string, string>): string[] {
  const { IDENTITY_MODE: mode, PROXY_SECRET: secret, PROXY_CA_FILE: caFile } = values
  const isProven = Boolean(secret) || Boolean(caFile) || LOOPBACK_ADDRESS.test(valueOf(values, 'API_HOST'))
  if (mode !== 'headers' || isProven) return []
  return [
    'IDENTITY_MODE (identity.mode) headers needs a proxy that proves itself: let API_HOST (service.host) be a loopback address that only the proxy reaches, as a container of the same pod, or set PROXY_CA_FILE (identity.proxy_ca_file), or PROXY_SECRET (identity.proxy_secret)',
  ]
}
