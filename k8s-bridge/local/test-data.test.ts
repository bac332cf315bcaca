import { expect, test } from 'vitest'
import { specFor } from '#db/test-evaluation.ts'
import { DEFAULT_TEST_DATA_LIMITS, fetchingOf } from './test-data.ts'

const around = {
  inherited: { PATH: '/bin', DATABASE_URL: 'secret', TEST_DATA_MAX_BYTES: '1e18', TEST_DATA_ALLOWED_RANGES: '0.0.0.0/0' },
  hiddenVariables: ['DATABASE_URL'],
  jobSpecPath: '/data/jobs/a/0/p/b/meta/job.json',
  home: '/opt/evalhub',
  node: '/bin/node',
  callbackUrl: 'http://127.0.0.1:8080',
  testData: { limits: { ...DEFAULT_TEST_DATA_LIMITS, maxBytes: 5 }, secretsFolder: '/data/secrets' },
}

// Guarantee: no variable of the hub's environment widens what a download may take or reach, and none of its secrets goes there.
test('what fetches test data has the limits of the hub, the place of the run, and EvalHub itself closed', () => {
  const spec = specFor('true', { test_data_ref: { hf: { repo_id: 'a/b' } } })
  expect(fetchingOf(spec, undefined, around)?.environment).toEqual({
    PATH: '/bin',
    TEST_DATA_HF_REPO_ID: 'a/b',
    TEST_DATA_TIMEOUT_SECONDS: '3600',
    TEST_DATA_MAX_BYTES: '5',
    TEST_DATA_MAX_FILES: '100000',
    TEST_DATA_ALLOWED_RANGES: '',
    TEST_DATA_HUB_URLS: 'http://127.0.0.1:8080',
    TEST_DATA_MEMORY_BYTES: String(512 * 1024 ** 2),
    TEST_DATA_DIRECTORY: '/data/jobs/a/0/p/b/test_data',
    TEST_DATA_METADATA_FILE: '/data/jobs/a/0/p/b/meta/test-data-commit',
    TEST_DATA_SECRET_DIRECTORY: '/data/jobs/a/0/p/b/meta/no-secret',
    TEST_DATA_TERMINATION_LOG: '/dev/null',
    EVALHUB_NODE: '/bin/node',
    EVALHUB_HOME: '/opt/evalhub',
  })
  expect(fetchingOf(specFor('true'), undefined, around)).toBeUndefined()
})
