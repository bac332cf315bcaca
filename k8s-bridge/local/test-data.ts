import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { AllowedPaths } from '#shared/domain/allowed-paths.ts'
import type { RunSpec } from '#shared/domain/run-spec.ts'
import type { RunEnd } from '../runtime.ts'
import { blankSource, limitVariables, testDataSource, type TestDataLimits } from '../test-data-source.ts'
import { secretFolder } from './named-folders.ts'

/** How test data come to a machine. */
export type LocalTestData = {
  limits: TestDataLimits
  /** Base of the Hugging Face hub that they come from. Absent: the public one. */
  huggingFaceEndpoint?: string | undefined
  /** Absolute: where a secret lies that is named without a slash. */
  secretsFolder: string
}

/** Below a hub's data directory. */
export const secretsFolderIn = (dataDir: string): string => join(dataDir, 'secrets')

/** As on a cluster, unless its operator says otherwise. */
export const DEFAULT_TEST_DATA_LIMITS: TestDataLimits = { timeoutSeconds: 3600, maxBytes: 50 * 1024 ** 3, maxFiles: 100_000, ranges: [] }

/** What the init program may hold; a machine, unlike its container on a cluster, sets it no bound. */
const MEMORY_BYTES = 512 * 1024 ** 2

/** What runs before the adapter. */
export type Fetching = { command: string; environment: Record<string, string> }

type Surroundings = {
  inherited: Readonly<Record<string, string | undefined>>
  hiddenVariables: readonly string[]
  jobSpecPath: string
  home: string
  node: string
  callbackUrl: string
  testData: LocalTestData
}

/** Where a run's data lie. Source of the layout: that of the rest of its folder. */
export const testDataFolder = (jobSpecPath: string): string => join(dirname(dirname(jobSpecPath)), TEST_DATA)
export const TEST_DATA = 'test_data'
const metadataFile = (jobSpecPath: string): string => join(dirname(jobSpecPath), 'test-data-commit')

/** Why the test data of a run can never be had on one machine; undefined if they may. */
export function testDataRefusal({ test_data_ref: data }: RunSpec): RunEnd | undefined {
  if (data?.pvc) {
    const message =
      `test_data_ref.pvc names the volume ${data.pvc.claim_name} of a cluster, and this hub runs on one machine. ` +
      `Name the data by s3, git or hf, put them where the parameter dataset of builtin may name them, or run the job on a cluster.`
    return { failureClass: 'missing_volume', message }
  }
  const blank = blankSource(data)
  return blank === undefined ? undefined : { failureClass: 'missing_config', message: blank }
}

/** The folder of the source's secret, if it has one. A name without a slash is one of the hub's own folder of secrets; a path is as that of a model's. */
export async function testDataSecret(spec: RunSpec, { testData, allowed }: { testData: LocalTestData; allowed: AllowedPaths }) {
  const source = spec.test_data_ref && testDataSource(spec.test_data_ref, testData.huggingFaceEndpoint)
  if (!source?.secret) return {}
  const path = source.secret.includes('/') ? source.secret : resolve(testData.secretsFolder, source.secret)
  const keys = { s3: 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY', git: 'username and password', hf: 'hf-token' }[source.kind]
  return secretFolder(path, allowed, {
    field: `test_data_ref.${source.kind}.secret_ref`,
    expected: `It must be a folder on this machine with the files ${keys}; a name without a slash is one in ${testData.secretsFolder}`,
  })
}

/** The program of the init container, as it is to run here; undefined for a run that fetches nothing. */
export function fetchingOf(
  { test_data_ref: data }: RunSpec,
  secretDirectory: string | undefined,
  around: Surroundings,
): Fetching | undefined {
  const { inherited, hiddenVariables, jobSpecPath, home, node, callbackUrl, testData } = around
  const source = data && testDataSource(data, testData.huggingFaceEndpoint)
  if (!source) return undefined
  const own = Object.entries(inherited).filter(([name]) => !hiddenVariables.includes(name) && !name.startsWith('TEST_DATA_'))
  const variables = {
    ...Object.fromEntries(own),
    ...source.variables,
    ...limitVariables(testData.limits, [callbackUrl]),
    TEST_DATA_MEMORY_BYTES: String(MEMORY_BYTES),
    TEST_DATA_DIRECTORY: testDataFolder(jobSpecPath),
    TEST_DATA_METADATA_FILE: metadataFile(jobSpecPath),
    // Where there is no secret there is nothing to be read.
    TEST_DATA_SECRET_DIRECTORY: secretDirectory ?? join(dirname(jobSpecPath), 'no-secret'),
    TEST_DATA_TERMINATION_LOG: '/dev/null',
    EVALHUB_NODE: node,
    EVALHUB_HOME: home,
  }
  const given = Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return { command: 'exec "$EVALHUB_NODE" "$EVALHUB_HOME/sidecar/init.ts"', environment: Object.fromEntries(given) }
}

/** The commit that was fetched; undefined for data that are of none. */
export async function fetchedCommit(jobSpecPath: string): Promise<string | undefined> {
  return readFile(metadataFile(jobSpecPath), 'utf8').then(
    (text) => text.trim(),
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    },
  )
}
