import { describe, expect } from 'vitest'
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
