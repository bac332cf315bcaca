import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import type { LogLevel } from '#shared/log.ts'
import { Count, DatabaseUrl, Days, Flag, HttpUrl, Names, processSettings } from '#shared/models/setting.ts'
import { complaints, gatherSettings, settingsOf, type Files, type Setting } from '#shared/settings.ts'
import { kubernetesFields, lacks, toKubernetesConfig, toTestDataLimits, type KubernetesConfig } from './kubernetes/config.ts'
import { secretsFolderIn, type LocalTestData } from './local/test-data.ts'
import { DEFAULT_RETENTION, type Retention } from './retention.ts'

/** Where the bridge and the migration find their database: not through a pooler, because they listen and hold locks. */
const databaseSettings = {
  DATABASE_DIRECT_URL: DatabaseUrl.optional().meta({
    path: 'database.direct_url',
    description: 'the database, without the pooler that functions may use (secret); unless set, that of `DATABASE_URL`',
  }),
  DATABASE_URL: DatabaseUrl.optional().meta({ path: 'database.url', aliases: ['DB_URL'], description: 'the database (secret)' }),
  CATALOGUE_DIRS: Names.prefault('').meta({
    path: 'catalogue.directories',
    description: 'directories with `providers/*.yaml` and `collections/*.yaml`, which add to what is shipped',
  }),
}

const BridgeSettings = z.object({
  ...databaseSettings,
  RUNTIME: z
    .enum(['kubernetes', 'local'], 'must be kubernetes or local')
    .default('kubernetes')
    .meta({ path: 'runtime.kind', description: 'what runs are: Jobs of a cluster (`kubernetes`), or processes of this machine (`local`)' }),
  LOG_RETENTION_DAYS: Days.default(DEFAULT_RETENTION.logDays).meta({
    path: 'retention.log_days',
    description: 'days for which logs of runs are kept; 0: for ever',
  }),
  EVALUATION_RETENTION_DAYS: Days.default(DEFAULT_RETENTION.evaluationDays).meta({
    path: 'retention.evaluation_days',
    description: 'days after its end for which a job is kept, with its results; 0: for ever',
  }),
  CALLBACK_URL: HttpUrl.default('http://localhost:8080').meta({
    path: 'sidecar.base_url',
    description: 'where adapters post their events',
  }),
  DATA_DIR: z.string().default('.evalhub').meta({ path: 'local.data_dir', description: 'runtime `local`: where the files of runs are' }),
  MAX_PARALLEL: Count.optional().meta({
    path: 'local.max_parallel',
    description: 'runtime `local`: runs at once; twice the cores unless set',
  }),
  ALLOW_PATHS: Names.prefault('').meta({
    path: 'local.allow_paths',
    description:
      'runtime `local`: folders in which jobs may name files, beside the working directory, the data directory (but for runs and database) and the catalogues',
  }),
  ALLOW_PROVIDER_COMMANDS: Flag.default(false).meta({
    path: 'local.allow_provider_commands',
    description: 'runtime `local`: whether providers that were created over the API may name commands',
  }),
  IDENTITY_MODE: z
    .enum(['none', 'headers', 'oidc'], 'must be none, headers or oidc')
    .optional()
    .meta({ path: 'identity.mode', description: 'that of the functions; runtime `local` needs `none`' }),
  ...kubernetesFields,
  ...processSettings,
})

const MigrateSettings = z.object(databaseSettings)

/** Every setting of the bridge, in the order of its documentation. The migration reads the first of them. */
export const BRIDGE_SETTINGS: readonly Setting[] = settingsOf(BridgeSettings)
export const MIGRATE_SETTINGS = settingsOf(MigrateSettings)

export type MigrateConfig = {
  databaseUrl: string
  /** Which of the two it is. */
  databaseSetting: 'DATABASE_DIRECT_URL' | 'DATABASE_URL'
  /** The operator's catalogues, absolute, in order. */
  catalogues: string[]
}

export type LocalConfig = {
  callbackUrl: string
  /** Absolute. */
  dataDir: string
  /** Absolute: folders in which jobs may name files, beside those that are the bridge's own. */
  allowPaths: string[]
  maxParallel: number
  allowProviderCommands: boolean
  testData: LocalTestData
  /** The bridge's own, which adapters inherit but for what it and its database's driver read. */
  environment: Environment
  hiddenVariables: string[]
}

export type BridgeConfig = MigrateConfig & {
  runtime: { local: LocalConfig } | { kubernetes: KubernetesConfig }
  retention: Retention
  /** Undefined: neither metrics nor health are served. */
  metrics?: { host: string; port: number }
  logLevel: LogLevel
  /** Paths in the files that this process does not read. */
  unread: string[]
}

type Environment = Readonly<Record<string, string | undefined>>

const nodeFiles: Files = {
  readText: (path) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined),
  exists: existsSync,
  parseYaml,
}

/** What `npm run start:bridge` shall do, by its environment and files. Throws one line that names every mistake, and no value. */
export function readBridgeConfig(env: Environment = process.env): BridgeConfig {
  const { settings, unread, variables } = read(BridgeSettings, BRIDGE_SETTINGS, env, judgeRuntime)
  return {
    ...toMigrateConfig(settings),
    runtime:
      settings.RUNTIME === 'local' ? { local: toLocalConfig(settings, env, variables) } : { kubernetes: toKubernetesConfig(settings) },
    retention: { logDays: settings.LOG_RETENTION_DAYS, evaluationDays: settings.EVALUATION_RETENTION_DAYS },
    ...(settings.METRICS_ENABLED && { metrics: { host: settings.METRICS_HOST, port: settings.METRICS_PORT } }),
    logLevel: settings.LOG_LEVEL,
    unread,
  }
}

/** What `npm run migrate` shall do. Throws one line that names every mistake, and no value. */
export function readMigrateConfig(env: Environment = process.env): MigrateConfig {
  return toMigrateConfig(read(MigrateSettings, MIGRATE_SETTINGS, env, () => []).settings)
}

type Values = Record<string, string>

function judgeRuntime(values: Values): string[] {
  if (values.RUNTIME !== 'local') return lacks(values)
  if (values.IDENTITY_MODE === 'none') return []
  return ['IDENTITY_MODE (identity.mode) must be none where RUNTIME is local: everybody’s adapters would run as one user of this machine']
}

function read<Schema extends z.ZodObject>(
  schema: Schema,
  names: readonly Setting[],
  env: Environment,
  judge: (values: Values) => string[],
) {
  const { values, mistakes, unread, variables } = gatherSettings(names, env, nodeFiles)
  const settings = schema.safeParse(values)
  const isWithout = values.DATABASE_DIRECT_URL === undefined && values.DATABASE_URL === undefined
  const all = [
    ...mistakes,
    ...(isWithout ? ['DATABASE_URL (database.url) or DATABASE_DIRECT_URL (database.direct_url) is required'] : []),
    ...complaints(names, settings.error?.issues ?? []),
    ...judge(values),
  ]
  if (!settings.success || all.length > 0) throw new Error(`The settings are wrong: ${all.join('; ')}`)
  return { settings: settings.data, unread, variables }
}

function toMigrateConfig(settings: z.output<typeof MigrateSettings>): MigrateConfig {
  return {
    databaseUrl: settings.DATABASE_DIRECT_URL ?? settings.DATABASE_URL ?? '',
    databaseSetting: settings.DATABASE_DIRECT_URL === undefined ? 'DATABASE_URL' : 'DATABASE_DIRECT_URL',
    catalogues: settings.CATALOGUE_DIRS.map((directory) => resolve(directory)),
  }
}

function toLocalConfig(settings: z.output<typeof BridgeSettings>, environment: Environment, variables: string[]): LocalConfig {
  return {
    callbackUrl: settings.CALLBACK_URL.replace(/\/$/, ''),
    dataDir: resolve(settings.DATA_DIR),
    allowPaths: settings.ALLOW_PATHS.map((folder) => resolve(folder)),
    maxParallel: settings.MAX_PARALLEL ?? Math.max(4, 2 * availableParallelism()),
    allowProviderCommands: settings.ALLOW_PROVIDER_COMMANDS,
    testData: {
      limits: toTestDataLimits(settings),
      huggingFaceEndpoint: settings.HF_ENDPOINT,
      secretsFolder: secretsFolderIn(resolve(settings.DATA_DIR)),
    },
    environment,
    hiddenVariables: [...variables, 'PGPASSWORD'],
  }
}
