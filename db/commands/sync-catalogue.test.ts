import { describe, expect, vi } from 'vitest'
import { CollectionFile } from '#shared/models/collection.ts'
import { ProviderFile } from '#shared/models/provider.ts'
import type { Pool } from '../client.ts'
import { findProvider, listCollections, listProviders } from '../queries/catalogue.ts'
import { UNBOUNDED } from '../reserve.ts'
import { test } from '../test-db.ts'
import { syncCatalogue } from './sync-catalogue.ts'

const provider = (id: string, benchmarks: object[], more: object = {}) => ProviderFile.parse({ id, name: id, benchmarks, ...more })
const collection = (id: string, name = id) => CollectionFile.parse({ id, name, category: 'c', benchmarks: [{ id: 'a', provider_id: 'p' }] })
const files = (providers: ProviderFile[], collections: CollectionFile[] = []) => ({ providers, collections })

const nobody = { tenant: 'nobody', user: '', everyTenant: false }
const system = { scope: 'system' } as const
const all = { limit: 0, offset: 0 }

const providerNames = async (db: Pool) =>
  (await listProviders(db, nobody, system, all, { withBenchmarks: false, reserve: UNBOUNDED })).items.map(({ name }) => name).toSorted()
const updatedAt = async (db: Pool, id: string) => (await findProvider(db, nobody, id, UNBOUNDED))?.resource.updated_at

describe('syncCatalogue', () => {
  test('makes the system’s rows those of the files, benchmarks in their order, and leaves a tenant’s alone', async ({ db, tenant }) => {
    const own = { tenant, owner: 'ann', source: 'api', config: {} }
    await db`insert into evalhub.providers ${db([{ id: `own-${tenant}`, ...own }])}`
    await syncCatalogue(
      db,
      files([provider('p', [{ id: 'b' }, { id: 'a' }]), provider('q', [])], [collection('c'), collection('d')]),
      '1.0.0',
    )
    expect(await providerNames(db)).toEqual(['p', 'q'])
    expect((await findProvider(db, nobody, 'p', UNBOUNDED))?.benchmarks?.map(({ id }) => id)).toEqual(['b', 'a'])

    await syncCatalogue(db, files([provider('p', [{ id: 'c' }, { id: 'b', name: 'new' }])], [collection('d', 'new')]), '1.0.0')
    expect(await providerNames(db)).toEqual(['p'])
    expect((await findProvider(db, nobody, 'p', UNBOUNDED))?.benchmarks).toMatchObject([{ id: 'c' }, { id: 'b', name: 'new' }])
    expect((await listCollections(db, nobody, system, all, UNBOUNDED)).items).toMatchObject([{ name: 'new' }])
    expect(await db`select id from evalhub.providers where tenant = ${tenant}`).toHaveLength(1)
  })

  test('leaves what is the same untouched, and a change of one benchmark is a change of its provider', async ({ db }) => {
    const p = provider('p', [{ id: 'a' }, { id: 'b' }], { runtime: { local: { command: 'true' } }, deadline_seconds: 60 })
    await syncCatalogue(db, files([p, provider('q', [])]), '1.0.0')
    const before = [await updatedAt(db, 'p'), await updatedAt(db, 'q')]
    await syncCatalogue(db, files([p, provider('q', [])]), '1.0.0')
    expect([await updatedAt(db, 'p'), await updatedAt(db, 'q')]).toEqual(before)

    for (const benchmarks of [[{ id: 'b' }, { id: 'a' }], [{ id: 'b' }], [{ id: 'b', dataset_size: 7 }], []]) {
      const last = await updatedAt(db, 'p')
      await syncCatalogue(db, files([{ ...p, benchmarks: provider('p', benchmarks).benchmarks }, provider('q', [])]), '1.0.0')
      expect(await updatedAt(db, 'p')).not.toBe(last)
    }
    expect(await updatedAt(db, 'q')).toBe(before[1])
  })

  test('of several benchmarks with one id takes the first', async ({ db }) => {
    await syncCatalogue(
      db,
      files([
        provider('p', [
          { id: 'a', name: 'first' },
          { id: 'a', name: 'second' },
        ]),
      ]),
      '1.0.0',
    )
    expect((await findProvider(db, nobody, 'p', UNBOUNDED))?.benchmarks).toMatchObject([{ name: 'first' }])
  })

  // Guarantee: during a rolling upgrade, a restart of what is about to go does not bring its files back.
  test('of an older release changes nothing, and says which one is newer', async ({ db }) => {
    expect(await syncCatalogue(db, files([provider('new', [])]), '1.10.0')).toEqual({})
    expect(await syncCatalogue(db, files([provider('old', [])]), '1.9.3')).toEqual({ newerRelease: '1.10.0' })
    expect(await providerNames(db)).toEqual(['new'])
    expect(await syncCatalogue(db, files([provider('same', [])]), '1.10.0')).toEqual({})
    expect(await syncCatalogue(db, files([provider('newer', [])]), '2.0.0')).toEqual({})
    expect(await providerNames(db)).toEqual(['newer'])
    await db`update evalhub.hub set catalogue_release = null`
  })

  test('waits for one that is under way, and only then asks for the release', async ({ db }) => {
    const older = await db.begin(async (tx) => {
      await tx`select pg_advisory_xact_lock(hashtextextended('evalhub catalogue', 0))`
      const sync = syncCatalogue(db, files([provider('old', [])]), '1.0.0')
      const waiting = () => tx`
        select from pg_locks join pg_database on pg_database.oid = pg_locks.database
        where locktype = 'advisory' and not granted and datname = current_database()`
      await vi.waitFor(async () => expect(await waiting()).toHaveLength(1))
      await tx`update evalhub.hub set catalogue_release = '2.0.0'`
      return [sync]
    })
    expect(await Promise.all(older)).toEqual([{ newerRelease: '2.0.0' }])
    await db`update evalhub.hub set catalogue_release = null`
  })

  test('by many at once ends as one of them, never as a mixture', async ({ db }) => {
    const sets = Array.from({ length: 8 }, (_, index) => files([provider(`left-${index}`, [{ id: 'a' }]), provider(`right-${index}`, [])]))
    await Promise.all(sets.map((set) => syncCatalogue(db, set, '1.0.0')))
    const names = await providerNames(db)
    expect(sets.map(({ providers }) => providers.map(({ id }) => id))).toContainEqual(names)
  })
})
