import { describe, expect, test } from 'vitest'
import { readWorkerConfig } from './worker-config.ts'

const ASSETS = { fetch: () => Promise.resolve(new Response()) }

describe('readWorkerConfig', () => {
  test('takes Hyperdrive’s address, as it is at each request, before that of DATABASE_URL', () => {
    const hyperdrive = { connectionString: 'postgres://first' }
    const { databaseUrl } = readWorkerConfig({
      IDENTITY_MODE: 'none',
      HYPERDRIVE: hyperdrive,
      DATABASE_URL: 'postgres://own',
      ASSETS,
    })
    expect(databaseUrl()).toBe('postgres://first')
    hyperdrive.connectionString = 'postgres://second'
    expect(databaseUrl()).toBe('postgres://second')
    expect(readWorkerConfig({ IDENTITY_MODE: 'none', DATABASE_URL: 'postgres://own', ASSETS }).databaseUrl()).toBe('postgres://own')
  })

  test('knows who asks by the variables of every hub', () => {
    const RUN_TOKEN_KEY = 'the key of run tokens in this test'
    const env = { RUN_TOKEN_KEY, DATABASE_URL: 'postgres://own', ASSETS }
    const oidc = { IDENTITY_MODE: 'oidc', OIDC_ISSUER: 'https://issuer', OIDC_AUDIENCE: 'a' }
    expect(readWorkerConfig({ ...env, ...oidc }).identity).toMatchObject({ mode: 'oidc', runTokenKey: RUN_TOKEN_KEY })
    // Run tokens and believed headers must not share a port.
    expect(() => readWorkerConfig({ ...env, IDENTITY_MODE: 'headers' })).toThrow(/IDENTITY_MODE must be oidc/)
    expect(() => readWorkerConfig({ ...env, ...oidc, PROXY_SECRET: 's'.repeat(32) })).toThrow(/PROXY_SECRET is for IDENTITY_MODE=headers/)
  })

  test('has the quotas of every hub, and none without identities', () => {
    const env = { RUN_TOKEN_KEY: 'the key of run tokens in this test', DATABASE_URL: 'postgres://own', ASSETS, QUOTA_OPEN_RUNS: '7' }
    const oidc = { IDENTITY_MODE: 'oidc', OIDC_ISSUER: 'https://issuer', OIDC_AUDIENCE: 'a' }
    expect(readWorkerConfig({ ...env, ...oidc }).quotas).toMatchObject({ openRuns: 7, jobsPerMinute: 1000 })
    expect(readWorkerConfig({ ...env, IDENTITY_MODE: 'none' }).quotas).toBeUndefined()
    expect(() => readWorkerConfig({ ...env, ...oidc, QUOTA_OPEN_RUNS: 'many' })).toThrow(/QUOTA_OPEN_RUNS must be a number/)
  })

  test('names all that is wrong in one line, and repeats no secret', () => {
    const read = () => readWorkerConfig({ IDENTITY_MODE: 'headers', RUN_TOKEN_KEY: 'short', HYPERDRIVE: 'postgres://secret' })
    expect(read).toThrow(/HYPERDRIVE .*; ASSETS .*; RUN_TOKEN_KEY /)
    expect(read).not.toThrow(/secret|short|\n/)
  })

  test.each([
    [{ IDENTITY_MODE: 'none', ASSETS }, /HYPERDRIVE must be bound, or DATABASE_URL set/],
    [{ IDENTITY_MODE: 'none', DATABASE_URL: '', ASSETS }, /DATABASE_URL /],
    [{ DATABASE_URL: 'postgres://own', ASSETS }, /IDENTITY_MODE /],
    [undefined, /bindings are wrong/],
  ])('refuses %j', (env, complaint) => {
    expect(() => readWorkerConfig(env)).toThrow(complaint)
  })
})
