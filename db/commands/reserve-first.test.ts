import { expect } from 'vitest'
import { connect } from '../client.ts'
import { specFor, submitSpecs } from '../test-evaluation.ts'
import { test } from '../test-db.ts'
import { cancelEvaluation } from './cancel-evaluation.ts'
import { changeCollection, changeProvider } from './change-catalogue.ts'
import { createCollection } from './save-collection.ts'
import { createProvider } from './save-provider.ts'
import { CollectionConfig } from '#shared/models/collection.ts'
import { ProviderConfig } from '#shared/models/provider.ts'

const NOW = '2026-11-25T12:00:00Z'
const LONG = 'x'.repeat(2 * 1024 * 1024)

// Guarantee: who waits for memory keeps no connection from those who need none.
test.for(['a job', 'a provider', 'a collection'] as const)(
  'who waits for the memory to change %s holds no connection',
  async (what, { databaseUrl, db, tenant }) => {
    const scope = { tenant, user: 'ann', everyTenant: false }
    const id = await submitSpecs(db, [specFor('true')], { tenant })
    await db`update evalhub.evaluations set footprint = 2000000 where id = ${id}`
    await createProvider(db, scope, tenant, ProviderConfig.parse({ name: LONG }))
    await createCollection(
      db,
      scope,
      tenant,
      CollectionConfig.parse({ name: LONG, category: 'c', benchmarks: [{ id: 'b', provider_id: tenant }] }),
    )
    const pool = connect(databaseUrl, { max: 1 })
    const [asked, given] = [Promise.withResolvers<void>(), Promise.withResolvers<{ release: () => void }>()]
    const reserve = () => {
      asked.resolve()
      return given.promise
    }
    const changing = {
      'a job': () => cancelEvaluation(pool, scope, id, NOW, { expected: ['another'], reserve }),
      'a provider': () => changeProvider(pool, scope, tenant, { change: (config) => config, expected: ['another'], reserve }),
      'a collection': () => changeCollection(pool, scope, tenant, { change: (config) => config, expected: ['another'], reserve }),
    }[what]()
    await asked.promise
    expect(await pool`select 1 as one`).toEqual([{ one: 1 }])
    given.resolve({ release: () => undefined })
    await expect(changing).rejects.toMatchObject({ code: 'precondition_failed' })
    await pool.end()
  },
)
