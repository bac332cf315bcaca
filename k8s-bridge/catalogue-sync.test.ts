import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, vi } from 'vitest'
import type { Pool } from '#db/client.ts'
import { syncCatalogue } from '#db/commands/sync-catalogue.ts'
import { createLog } from '#shared/log.ts'
import { followCatalogue, syncCatalogueFrom } from './catalogue-sync.ts'
import { test } from './test-catalogue.ts'

type Line = { level: string; message: string; error?: string | { message: string } }

function record() {
  const lines: Line[] = []
  const told = (level: string) =>
    lines.filter((line) => line.level === level).map(({ message, error }) => (typeof error === 'string' ? error : message))
  return { told, log: createLog({ write: (line) => lines.push(JSON.parse(line) as Line), now: () => new Date(0) }) }
}

async function namesOf(db: Pool): Promise<string[]> {
  const rows = await db<{ name: string }[]>`
    select config->>'name' as name from evalhub.providers where source = 'catalogue'
    union all select config->>'name' from evalhub.collections where source = 'catalogue' order by 1`
  return rows.map(({ name }) => name)
}

const provider = (name: string) => `id: p\nname: ${name}\nbenchmarks: [{ id: b }]\n`
const collection = (benchmark: string) =>
  `id: c\nname: C\ncategory: x\nbenchmarks: [{ id: ${benchmark}, provider_id: p, primary_score: { metric: acc }, pass_criteria: { threshold: 60 } }]\n`

describe('syncCatalogueFrom', () => {
  test('stores what is most likely not meant as it is written, and warns', async ({ db, folder, write }) => {
    await write('providers/p.yaml', provider('P'))
    const again = await write('providers/q.yaml', provider('P again'))
    await write('collections/c.yaml', collection('b'))
    await write('collections/d.yaml', collection('unknown').replace('id: c', 'id: d'))
    const { told, log } = record()
    await syncCatalogueFrom(db, [folder], log)
    expect(told('warn')).toEqual([
      `The provider p of ${again} replaces that of ${join(folder, 'providers', 'p.yaml')}`,
      'Collection c: b has the threshold 60, but acc runs from 0 to 1',
      'Collection d names the benchmark unknown, which p does not have: it cannot be submitted',
    ])
    const [row] = await db`select config from evalhub.collections where id = 'c'`
    expect(row?.config.benchmarks).toMatchObject([{ pass_criteria: { threshold: 60 } }])
  })

  test('with a directory missing changes nothing, and says which', async ({ db, folder, write }) => {
    await write('providers/p.yaml', provider('P'))
    const { told, log } = record()
    await syncCatalogueFrom(db, [folder], log)
    await write('providers/p.yaml', provider('changed'))
    const missing = join(folder, 'not-mounted')
    await syncCatalogueFrom(db, [folder, missing], log)
    await syncCatalogueFrom(db, [missing], log)
    expect(await namesOf(db)).toEqual(['P'])
    expect(told('warn')).toEqual(Array(2).fill(`The catalogue stays as it is, because ${missing} cannot be found`))
  })

  test('with a newer release in the database changes nothing, and says which', async ({ db, folder, write }) => {
    await syncCatalogue(db, { providers: [], collections: [] }, '9999.0.0')
    await write('providers/p.yaml', provider('P'))
    const { told, log } = record()
    await syncCatalogueFrom(db, [folder], log)
    expect(await namesOf(db)).toEqual([])
    expect(told('warn')).toEqual([expect.stringMatching(/stays as release 9999\.0\.0 wrote it, because this is the older release \d/)])
    await db`update evalhub.hub set catalogue_release = null`
  })

  test('with a bad file throws and changes nothing', async ({ db, folder, write }) => {
    await write('providers/p.yaml', provider('P'))
    await syncCatalogueFrom(db, [folder], record().log)
    await write('providers/p.yaml', provider('changed'))
    await write('providers/q.yaml', 'id: [')
    await expect(syncCatalogueFrom(db, [folder], record().log)).rejects.toThrow(/q\.yaml is not valid: line 1/)
    expect(await namesOf(db)).toEqual(['P'])
  })
})

describe('followCatalogue', () => {
  const follow = (db: Pool, directories: string[]) => {
    const { told, log } = record()
    return followCatalogue(db, directories, { log, intervalMs: 5 }).then((following) => ({ told, ...following }))
  }
  const becomes = (db: Pool, names: string[]) => vi.waitFor(async () => expect(await namesOf(db)).toEqual(names))

  test('reads files again that were written, replaced, added or removed', async ({ db, folder, write }) => {
    const file = await write('providers/p.yaml', provider('one'))
    const { stop } = await follow(db, [folder])
    expect(await namesOf(db)).toEqual(['one'])
    await write('providers/p.yaml', provider('two'))
    await becomes(db, ['two'])
    await writeFile(file, provider('three'))
    await becomes(db, ['three'])
    await write('collections/c.yaml', collection('b'))
    await becomes(db, ['C', 'three'])
    await rm(file)
    await becomes(db, ['C'])
    await stop()
  })

  // Kubernetes mounts a ConfigMap as links to ..data, itself a link to a folder that an update replaces.
  test('sees the links of a mounted ConfigMap swapped', async ({ db, folder }) => {
    const mount = join(folder, 'providers')
    await mkdir(join(mount, '..2026_1'), { recursive: true })
    await writeFile(join(mount, '..2026_1', 'p.yaml'), provider('one'))
    await symlink('..2026_1', join(mount, '..data'))
    await symlink('..data/p.yaml', join(mount, 'p.yaml'))
    const { stop } = await follow(db, [folder])
    expect(await namesOf(db)).toEqual(['one'])

    await mkdir(join(mount, '..2026_2'))
    await writeFile(join(mount, '..2026_2', 'p.yaml'), provider('two'))
    await symlink('..2026_2', join(mount, '..data_tmp'))
    await rename(join(mount, '..data_tmp'), join(mount, '..data'))
    await rm(join(mount, '..2026_1'), { recursive: true })
    await becomes(db, ['two'])
    await stop()
  })

  test('keeps what there is while a change is bad, says why once, and goes on when it is mended', async ({ db, folder, write }) => {
    await write('providers/p.yaml', provider('one'))
    const { stop, told } = await follow(db, [folder])
    await write('providers/q.yaml', 'id: q\nbenchmarks: 7\n')
    await vi.waitFor(() => expect(told('error')).toHaveLength(1))
    await rm(join(folder, 'providers'), { recursive: true })
    await vi.waitFor(() => expect(told('warn')).toEqual([`The catalogue stays as it is, because ${folder} cannot be found`]))
    expect(await namesOf(db)).toEqual(['one'])
    await write('providers/p.yaml', provider('two'))
    await becomes(db, ['two'])
    expect(told('error')).toEqual([expect.stringMatching(/q\.yaml is not valid: line 2: benchmarks: .*expected array/)])
    await stop()
  })

  test('tries again what the database did not take', async ({ db, folder, write }) => {
    await write('providers/p.yaml', provider('one'))
    const { stop, told } = await follow(db, [folder])
    await db`alter table evalhub.hub rename column catalogue_release to away`
    await write('providers/p.yaml', provider('two'))
    await vi.waitFor(() => expect(told('error').length).toBeGreaterThan(1))
    await db`alter table evalhub.hub rename column away to catalogue_release`
    await becomes(db, ['two'])
    await stop()
  })

  test('throws what is wrong at the start', async ({ db, folder, write }) => {
    await write('providers/p.yaml', 'no')
    await expect(follow(db, [folder])).rejects.toThrow(/p\.yaml is not valid/)
  })
})
