import { describe, expect, onTestFinished, vi } from 'vitest'
import { connect } from './client.ts'
import { lockHub } from './hub-lock.ts'
import { openObserverLock } from './observer-lock.ts'
import { test } from './test-db.ts'

describe('connect', () => {
  test('counts are numbers', async ({ db }) => {
    const [row] = await db`select count(*) from generate_series(1, 3)`
    expect(row).toEqual({ count: 3 })
  })

  // Guarantee: no count is rounded in silence, and one bad value costs no connection.
  test('an integer that a number cannot hold fails its statement and no other', async ({ db }) => {
    const tooLarge = Promise.all(Array.from({ length: 20 }, () => db`select 9007199254740993 as count`))
    await expect(tooLarge).rejects.toThrow('9007199254740993 from the database is too large for a number')
    expect(await db`select 9007199254740991 as count`).toEqual([{ count: Number.MAX_SAFE_INTEGER }])
  })

  test('JSON comes out parsed and an object goes in as JSON', async ({ db }) => {
    const value = { text: 'ünï', list: [1, { deep: null }] }
    const [row] = await db`select ${db.json(value)}::jsonb as value`
    expect(row).toEqual({ value })
  })

  test('the server knows its connections by name', async ({ db }) => {
    expect(await db`select current_setting('application_name') as name`).toEqual([{ name: 'evalhub' }])
  })
})

describe('what the server remarks', () => {
  const opened: Record<string, (url: string) => Promise<unknown>> = {
    'a pool': async (url) => {
      const db = connect(url, { max: 1 })
      onTestFinished(() => db.end())
      await db`select 1`
    },
    'one that listens': async (url) => {
      const db = connect(url, { max: 1 })
      onTestFinished(() => db.end())
      await db.listen('evalhub_remarks', () => {})
    },
    'the lock of a hub': async (url) => {
      const lock = await lockHub(url, () => {})
      onTestFinished(() => lock.release())
    },
    'the lock of a bridge that observes': async (url) => {
      const lock = openObserverLock(url)
      onTestFinished(() => lock.release())
      await lock.isHeld()
    },
  }

  // Standard output is the log, one JSON object a line.
  test.for(Object.keys(opened))('to %s is not printed', async (name, { databaseUrl }) => {
    const url = new URL(databaseUrl)
    url.searchParams.set('client_min_messages', 'debug5')
    const printed = vi.spyOn(console, 'log').mockImplementation(() => {})
    onTestFinished(() => printed.mockRestore())
    await opened[name]!(url.href)
    expect(printed.mock.calls).toEqual([])
  })
})
