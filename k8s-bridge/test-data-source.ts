import type { TestDataRef } from '#shared/models/test-data.ts'

/** What the init program is told of a source, as variables, and the name of its secret. */
export type TestDataSource = {
  kind: 's3' | 'git' | 'hf'
  variables: Readonly<Record<string, string | undefined>>
  secret?: string | undefined
}

/** Limits of one download, and networks in CIDR notation that it may come from though they are not public. */
export type TestDataLimits = { timeoutSeconds: number; maxBytes: number; maxFiles: number; ranges: readonly string[] }

/** Undefined for data that nobody has to fetch. Source: contract 8.6. */
export function testDataSource({ s3, git, hf }: TestDataRef, huggingFaceEndpoint: string | undefined): TestDataSource | undefined {
  if (s3) {
    const variables = { TEST_DATA_S3_BUCKET: s3.bucket.trim(), TEST_DATA_S3_KEY: s3Key(s3.key) }
    return { kind: 's3', variables, secret: s3.secret_ref.trim() }
  }
  if (git) {
    const variables = { TEST_DATA_GIT_URL: git.url, TEST_DATA_GIT_REF: git.ref, TEST_DATA_GIT_SUBPATH: git.sub_path }
    return { kind: 'git', variables, secret: git.secret_ref }
  }
  if (hf) {
    const variables = {
      TEST_DATA_HF_REPO_ID: hf.repo_id.trim(),
      TEST_DATA_HF_REVISION: hf.revision,
      TEST_DATA_HF_SUBPATH: hf.sub_path,
      TEST_DATA_HF_ENDPOINT: huggingFaceEndpoint,
    }
    return { kind: 'hf', variables, secret: hf.secret_ref }
  }
  return undefined
}

/** A key below the bucket's root, without the slashes that some write before it. */
export const s3Key = (key: string): string => key.trim().replace(/^\/+/, '')

/** Why the source of a run's test data can never be fetched; undefined if it may. */
export const blankSource = (data: TestDataRef | undefined): string | undefined =>
  data?.s3 && (data.s3.bucket.trim() === '' || data.s3.secret_ref.trim() === '' || s3Key(data.s3.key) === '')
    ? 'test_data_ref.s3 needs a bucket, a key and a secret_ref, and one of them is blank.'
    : undefined

/** As the init program reads them. `hubUrls` are EvalHub's own, which no source may be. */
export const limitVariables = ({ timeoutSeconds, maxBytes, maxFiles, ranges }: TestDataLimits, hubUrls: readonly string[]) => ({
  TEST_DATA_TIMEOUT_SECONDS: String(timeoutSeconds),
  TEST_DATA_MAX_BYTES: String(maxBytes),
  TEST_DATA_MAX_FILES: String(maxFiles),
  TEST_DATA_ALLOWED_RANGES: ranges.join(','),
  TEST_DATA_HUB_URLS: hubUrls.join(','),
})
