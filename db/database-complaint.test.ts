import { describe, expect, onTestFinished } from 'vitest'
import { connect } from './client.ts'
import { databaseComplaint } from './database-complaint.ts'
import { test } from './test-db.ts'

async function complaintOf(url: string, setting = 'DATABASE_URL'): Promise<string | undefined> {
  const db = connect(url, { max: 1 })
  onTestFinished(() => db.end())
  const error: unknown = await db`select 1`.catch((thrown: unknown) => thrown)
  return databaseComplaint(error, { url, setting })
}

describe('databaseComplaint', () => {
  test.for([
    ['postgres://ann:hidden@127.0.0.1:1/hub', '127.0.0.1:1/hub', /ECONNREFUSED/],
    ['postgres://ann:hidden@localhost:1/hub', 'localhost:1/hub', /ECONNREFUSED/],
    ['postgres://ann:hidden@nowhere.invalid/hub', 'nowhere.invalid:5432/hub', /ENOTFOUND|EAI_AGAIN/],
  ] as const)('names setting and place of %s, and no password', async ([url, place, reason]) => {
    const said = await complaintOf(url, 'DATABASE_DIRECT_URL')
    expect(said).toContain(`The database that DATABASE_DIRECT_URL names, ${place}, does not answer: `)
    expect(said).toMatch(reason)
    expect(said).not.toMatch(/hidden|\n/)
  })

  test('says of a server that answers what it says', async ({ databaseUrl }) => {
    const url = new URL(databaseUrl)
    url.pathname = '/nothing'
    expect(await complaintOf(url.href)).toMatch(/:\d+\/nothing, lets nobody in like that: database "nothing" does not exist$/)
  })

  test('is none for another error', () => {
    expect(databaseComplaint(new Error('a bug'), { url: 'postgres://h/d', setting: 'DATABASE_URL' })).toBeUndefined()
  })
})
