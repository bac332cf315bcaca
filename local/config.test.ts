import { describe, expect, test } from 'vitest'
import { readHubConfig } from './config.ts'
import { openHubDatabase } from './hub-database.ts'

const SENTENCE = 'DATABASE_URL must be a URL of PostgreSQL: postgres://user:password@host:5432/name'

describe('readHubConfig', () => {
  test.each(['nonsense', 'http://localhost/x', 'localhost:5432'])('says that DATABASE_URL is none, and does not repeat it: %s', (url) => {
    expect(() => readHubConfig([], { DATABASE_URL: url })).toThrow(new Error(SENTENCE))
    expect(() => readHubConfig(['--port', 'x'], { DATABASE_URL: url })).toThrow(new Error(`--port must be a number; ${SENTENCE}`))
  })

  test('takes the embedded database where DATABASE_URL is not set or empty', () => {
    for (const env of [{}, { DATABASE_URL: '' }]) expect(readHubConfig([], env)).not.toHaveProperty('databaseUrl')
  })
})

describe('openHubDatabase', () => {
  test('says which setting names a database that does not answer, without its password', async () => {
    await using stack = new AsyncDisposableStack()
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
    const options = {
      dataDir: '/nowhere',
      catalogues: [],
      databaseUrl: 'postgres://u:secret@127.0.0.1:1/x',
      log,
      onLockLost: () => undefined,
    }
    const opening = openHubDatabase(options, stack)
    await expect(opening).rejects.toThrow(
      'The database that DATABASE_URL names, 127.0.0.1:1/x, does not answer: connect ECONNREFUSED 127.0.0.1:1',
    )
    await expect(opening).rejects.not.toThrow(/secret/)
  })
})
