import { describe, expect } from 'vitest'
import { syncCatalogue } from '#db/commands/sync-catalogue.ts'
import { CollectionFile } from '#shared/models/collection.ts'
import { ProviderFile } from '#shared/models/provider.ts'
import { event, JOB, test, type Answer } from '../test-app.ts'
import { syncTestCatalogue } from '../test-catalogue.ts'

const collectionJob = (id: string) => ({ ...JOB, benchmarks: undefined, collection: { id } })

describe('a job that was submitted', () => {
  const NOTHING = { providers: [], collections: [] }
  const OTHERWISE = {
    providers: [
      ProviderFile.parse({
        id: 'frame',
        name: 'Frame',
        runtime: { local: { command: 'false' } },
        deadline_seconds: 1,
        benchmarks: [{ id: 'first', primary_score: { metric: 'loss', lower_is_better: true }, pass_criteria: { threshold: 0.01 } }],
      }),
    ],
    collections: [
      CollectionFile.parse({ id: 'pair-v1', name: 'Other', category: 'x', benchmarks: [{ id: 'first', provider_id: 'frame', weight: 9 }] }),
    ],
  }

  // Guarantee: whatever happens to the catalogue, a job is run and judged by what it was submitted with.
  test.for([
    ['is emptied', NOTHING],
    ['says otherwise', OTHERWISE],
  ] as const)('goes on as it was when the catalogue %s', async ([, files], { call, db }) => {
    const { id } = (await call('POST', '/jobs', collectionJob('pair-v1'))).body.resource
    const before = [
      await db`select spec from evalhub.runs where evaluation_id = ${id} order by benchmark_index`,
      (await call('GET', `/jobs/${id}`)).body,
    ]
    await syncCatalogue(db, files, '0.0.0')
    const after = [
      await db`select spec from evalhub.runs where evaluation_id = ${id} order by benchmark_index`,
      (await call('GET', `/jobs/${id}`)).body,
    ]
    expect(after).toEqual(before)

    await call('POST', `/jobs/${id}/events`, event('completed', { metrics: { acc: 0.9 } }))
    await call('POST', `/jobs/${id}/events`, event('completed', { metrics: { loss: 0.3 } }, 'second', 1))
    const { status, results } = (await call('GET', `/jobs/${id}`)).body
    expect(status.state).toBe('completed')
    expect(results.benchmarks).toMatchObject([{ test: { threshold: 0.5, pass: true } }, { test: { threshold: 0.4, pass: true } }])
    expect(results.test).toEqual({ score: 0.85, threshold: 0.8, pass: true })
    await syncTestCatalogue(db)
  })
})

describe('a collection of the catalogue that names what does not exist', () => {
  const naming = (id: string, entry: object) =>
    CollectionFile.parse({ id, name: id, category: 'x', benchmarks: [{ id: 'first', provider_id: 'frame' }, entry] })

  test('is listed and read, and only submitting it fails', async ({ call, db }) => {
    const provider = ProviderFile.parse({ id: 'frame', name: 'Frame', benchmarks: [{ id: 'first' }] })
    const collections = [
      naming('c-benchmark', { id: 'gone', provider_id: 'frame' }),
      naming('c-provider', { id: 'first', provider_id: 'gone' }),
    ]
    await syncCatalogue(db, { providers: [provider], collections }, '0.0.0')

    const { items } = (await call('GET', '/collections')).body
    expect(items.map(({ resource }: { resource: { id: string } }) => resource.id).sort()).toEqual(['c-benchmark', 'c-provider'])
    const answers: Answer[] = []
    for (const { id } of collections) {
      expect((await call('GET', `/collections/${id}`)).body.benchmarks).toHaveLength(2)
      answers.push(await call('POST', '/jobs', collectionJob(id)))
    }
    expect(answers).toMatchObject([
      { status: 400, body: { message_code: 'resource_does_not_exist', message: expect.stringContaining("'gone'") } },
      { status: 404, body: { message_code: 'resource_not_found', message: expect.stringContaining("'gone'") } },
    ])
    await syncTestCatalogue(db)
  })
})
