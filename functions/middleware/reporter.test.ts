import { expect } from 'vitest'
import { makeRunToken } from '#shared/run-token.ts'
import { createApp } from '../app.ts'
import { createEventsApp } from '../events-app.ts'
import { createMemory } from '../memory.ts'
import { MEMORY } from '../open-app.ts'
import { callOn, event, optionsOn, test } from '../test-app.ts'

const KEY = 'the key of run tokens in these tests'

// Guarantee: who may name any job does not take for each another share of what all share.
test('who reports takes on the account of its tenant what requests share, and an adapter on that of its job', async ({ db }) => {
  const openMemory = createMemory(MEMORY).open
  const parties: string[] = []
  const options = {
    ...(await optionsOn(db, { mode: 'headers', runTokenKey: KEY, reporters: ['reporter'] })),
    openMemory(party: string) {
      parties.push(party)
      return openMemory(party)
    },
  }
  const report = (app: ReturnType<typeof createApp>, id: string, headers: Record<string, string>) =>
    callOn(app, headers)('POST', `/jobs/${id}/events`, event('running'))
  const [one, other] = ['01900000-0000-7000-8000-000000000001', '01900000-0000-7000-8000-00000000000B'] as const
  const app = createApp(options)
  for (const id of [one, other]) await report(app, id, { 'X-Tenant': 'red', 'X-User': 'reporter' })
  const token = await makeRunToken(KEY, { evaluationId: other, benchmarkIndex: 0, attempt: 1 })
  await report(createEventsApp(options), other, { Authorization: `Bearer ${token}` })
  expect(parties).toEqual(['tenant red', 'tenant red', `job ${other.toLowerCase()}`])
})
