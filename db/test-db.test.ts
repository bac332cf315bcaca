import { describe, expect } from 'vitest'
import { test } from './test-db.ts'

describe('test', () => {
  const seen = new Set<string>()

  test('a file has a migrated database of its own', async ({ db, databaseUrl }) => {
    const [row] = await db`select current_database() as name, (select count(*) from evalhub.migrations) as migrations`
    expect(databaseUrl).toContain(row!.name)
    expect(row!.migrations).toBeGreaterThan(0)
  })

  test.for([1, 2, 3])('no two tests share a tenant (%i)', (_, { tenant }) => {
    expect(seen).not.toContain(tenant)
    seen.add(tenant)
  })
})
