import { readFileSync } from 'node:fs'
import { describe, expect } from 'vitest'
import type { Pool } from '#db/client.ts'
import { appOn, callOn, event, JOB, test, type Call } from './test-app.ts'
import { COLLECTION, type Row } from './test-message-row.ts'
import { FOUND, JSON_TEXTS, PATCHES, QUERIES } from './test-refusals.ts'
import { JOBS, OTHERS } from './test-validations.ts'

/**
 * Section 2 of the contract, and the validation texts of its section 1.4: one row a message, with the request that provokes it and what the
 * published server (1.0.2) was seen to answer.
 */

const COMPATIBILITY = readFileSync(new URL('../docs/compatibility.md', import.meta.url), 'utf8')

/** Codes of the contract that nothing can cause here, and why. */
const NEVER: Record<string, string> = {
  missing_path_parameter: 'routes have them',
  local_runtime_not_enabled: 'a text of a failed run: k8s-bridge/local/process.test.ts',
  provider_id_not_unique: 'never used there either',
  mlflow_request_failed: 'no hub has an MLflow so far',
  configuration_failed: 'at the start, on the terminal',
  json_unmarshalling_failed: 'a bug is `internal_server_error`',
  database_operation_failed: 'a bug is `internal_server_error`, an absent database `unavailable`',
  query_failed: 'the same',
  evaluation_job_empty: 'a request without benchmarks is not valid',
  internal_server_error: 'without detail: functions/app.test.ts',
  not_implemented: 'never used there either',
  unknown_error: 'a bug is `internal_server_error`',
  hardware_profile_disabled: 'looked up at launch',
  hardware_profile_not_found: 'the same',
  hardware_profile_fetch_failed: 'the same',
  hardware_profile_invalid: 'the same',
  invalid_secret_ref_uri_parse: 'of the local sidecar mode, which is left out',
  invalid_secret_ref_uri: 'the same',
}

/** Codes of section 2. */
const SECTION_2 = `missing_path_parameter resource_not_found query_parameter_required query_parameter_value_invalid query_parameter_invalid
  query_bad_parameter query_parameter_mismatch job_can_not_be_updated request_body_too_large invalid_json_request invalid_patch_operation
  unallowed_patch request_validation_failed resource_does_not_exist model_url_required local_runtime_not_enabled provider_id_not_unique
  read_only_provider read_only_collection mlflow_required_for_experiment mlflow_request_failed configuration_failed json_unmarshalling_failed
  database_operation_failed query_failed collection_empty evaluation_job_empty internal_server_error method_not_allowed not_implemented
  unknown_error missing_tenant_header missing_user_header hardware_profile_disabled hardware_profile_not_found hardware_profile_fetch_failed
  hardware_profile_invalid invalid_secret_ref_uri_parse invalid_secret_ref_uri resolved_sha_read_only`.split(/\s+/)

const ROWS: readonly Row[] = [...FOUND, ...QUERIES, ...PATCHES, ...JSON_TEXTS, ...JOBS, ...OTHERS]

/** The things that rows name. */
async function things(call: Call, db: Pool): Promise<Record<string, string>> {
  const idOf = async (path: string, body: object): Promise<string> => (await call('POST', path, body)).body.resource.id
  const empty = await idOf('/collections', COLLECTION)
  await db`update evalhub.collections set config = jsonb_set(config, '{benchmarks}', '[]') where id = ${empty}`
  const done = await idOf('/jobs', JOB)
  await call('POST', `/jobs/${done}/events`, event('completed', { metrics: { acc: 1 } }))
  return {
    job: await idOf('/jobs', JOB),
    done,
    provider: await idOf('/providers', { name: 'p', benchmarks: [{ id: 'b' }], runtime: { local: { command: 'true' } } }),
    collection: await idOf('/collections', COLLECTION),
    curated: await idOf('/collections', { ...COLLECTION, curation_order: 1 }),
    empty,
  }
}

describe('the texts of the contract', () => {
  test.for(ROWS)(
    '$ask.0 $ask.1 → $status $code',
    async ({ ask: [method, path, body, headers], status, code, text, otherwise }, { call, db }) => {
      const ids = await things(call, db)
      const filled = (value: string) => value.replace(/\{(\w+)\}/g, (whole, name: string) => ids[name] ?? whole)
      const sent = body === undefined || typeof body === 'string' ? body : filled(JSON.stringify(body))
      const answer = await call(method, filled(path), sent, headers)
      const ours = otherwise?.text ?? text
      expect(answer.body).toMatchObject({
        message_code: otherwise?.code ?? code,
        message: typeof ours === 'string' ? filled(ours) : expect.stringMatching(ours),
      })
      expect(answer.status).toBe(otherwise?.status ?? status)
    },
  )

  test('of what each row has otherwise, docs/compatibility.md says so', () => {
    const names = ROWS.flatMap(({ otherwise }) => otherwise?.named ?? [])
    expect(names.filter((name) => !COMPATIBILITY.includes(name))).toEqual([])
  })

  test('of headers that are missing', async ({ db }) => {
    const call = callOn(await appOn(db, { mode: 'headers', runTokenKey: 'a key of these tests', reporters: [] }), {})
    expect(await call('GET', '/jobs')).toMatchObject({
      status: 400,
      body: { message_code: 'missing_tenant_header', message: 'The request is missing a required header X-Tenant.' },
    })
    expect(await call('GET', '/jobs', undefined, { 'X-Tenant': 't' })).toMatchObject({
      status: 400,
      body: { message_code: 'missing_user_header', message: 'The request is missing a required header X-User.' },
    })
  })

  test('are each in the table, or can have no cause here', () => {
    const shown = new Set([...ROWS.map(({ code }) => code), 'missing_tenant_header', 'missing_user_header', ...Object.keys(NEVER)])
    expect(SECTION_2.filter((code) => !shown.has(code))).toEqual([])
    expect([...shown].filter((code) => !SECTION_2.includes(code))).toEqual([])
  })
})
