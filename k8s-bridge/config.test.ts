import { expect, test } from 'vitest'
import { readBridgeConfig, readMigrateConfig } from './config.ts'

const DATABASE_URL = 'postgres://user@pooler/db'
const LOCAL = { DATABASE_URL, RUNTIME: 'local', IDENTITY_MODE: 'none' }

test('the database is reached without the pooler where that is set', () => {
  expect(readBridgeConfig({ DATABASE_URL }).databaseUrl).toBe(DATABASE_URL)
  const DATABASE_DIRECT_URL = 'postgres://user@direct/db'
  expect(readBridgeConfig({ DATABASE_URL, DATABASE_DIRECT_URL }).databaseUrl).toBe(DATABASE_DIRECT_URL)
  expect(readMigrateConfig({ DATABASE_DIRECT_URL }).databaseUrl).toBe(DATABASE_DIRECT_URL)
})

test('jobs are kept for ever and logs for 90 days, unless told', () => {
  expect(readBridgeConfig({ DATABASE_URL }).retention).toEqual({ logDays: 90, evaluationDays: 0 })
  const told = readBridgeConfig({ DATABASE_URL, LOG_RETENTION_DAYS: '0', EVALUATION_RETENTION_DAYS: '365' })
  expect(told.retention).toEqual({ logDays: 0, evaluationDays: 365 })
})

test('adapters of this machine see none of the settings', () => {
  const { local } = readBridgeConfig({ ...LOCAL, CALLBACK_URL: 'http://127.0.0.1:9000/' })
  expect(local).toMatchObject({ callbackUrl: 'http://127.0.0.1:9000', allowProviderCommands: false })
  expect(local?.hiddenVariables).toEqual(
    expect.arrayContaining(['DATABASE_URL', 'DB_URL', 'DATABASE_DIRECT_URL', 'RUN_TOKEN_KEY', 'CONFIG_PATH']),
  )
  expect(readBridgeConfig({ DATABASE_URL }).local).toBeUndefined()
})

test.each([
  [{}, /^The settings are wrong: DATABASE_URL \(database\.url\) or DATABASE_DIRECT_URL \(database\.direct_url\) is required$/],
  [{ ...LOCAL, IDENTITY_MODE: 'oidc' }, /IDENTITY_MODE \(identity\.mode\) must be none where RUNTIME is local/],
  [{ ...LOCAL, IDENTITY_MODE: '' }, /IDENTITY_MODE \(identity\.mode\) must be none where RUNTIME is local/],
  [{ DATABASE_URL: 'mysql://secret', RUNTIME: 'docker', LOG_RETENTION_DAYS: '-1' }, /DATABASE_URL .*; RUNTIME .*; LOG_RETENTION_DAYS /],
])('refuses %j in one line, and repeats no value', (env, complaint) => {
  expect(() => readBridgeConfig(env)).toThrow(complaint)
  expect(() => readBridgeConfig(env)).not.toThrow(/secret|docker/)
})
