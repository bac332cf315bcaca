import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { namedFolders, realFolders, secretFolder } from './named-folders.ts'

describe('namedFolders', () => {
  const owned = { dataDir: '/data', catalogues: ['/catalogue'], allowPaths: ['/more'] }

  test('are those of the owner; runs and database are closed', () => {
    expect(namedFolders({ ...owned, cwd: '/srv', home: '/home/u' })).toEqual({
      open: ['/srv', '/data', '/catalogue', '/more'],
      closed: ['/data/jobs', '/data/postgres', '/srv/.evalhub/jobs', '/srv/.evalhub/postgres'],
    })
  })

  // Guarantee: a service that starts at the root, and a shell that starts at home, open neither.
  test.each(['/', '/home', '/home/u'])('do not have the working directory %s, which holds all that is private', (cwd) => {
    expect(namedFolders({ ...owned, cwd, home: '/home/u' }).open).not.toContain(cwd)
  })
})

let root: string
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'evalhub-folders-')))
  for (const name of ['open/key', 'other/key']) await mkdir(join(root, name), { recursive: true })
  await symlink(join(root, 'open'), join(root, 'link'))
})
afterEach(() => rm(root, { recursive: true }))

describe('realFolders', () => {
  // Guarantee: the first run of a new hub, before which there are no runs, reads no other run's files either.
  test('keeps closed what is not there yet', async () => {
    const folders = { open: [join(root, 'link')], closed: [join(root, 'link', 'jobs'), join(root, 'link', 'deep', 'postgres')] }
    expect(await realFolders(folders)).toEqual({
      open: [join(root, 'open')],
      closed: [join(root, 'open', 'jobs'), join(root, 'open', 'deep', 'postgres')],
    })
  })
})

const find = async (secretRef: string | undefined) =>
  secretFolder(secretRef, await realFolders({ open: [join(root, 'link'), join(root, 'missing')], closed: [] }))

const refused = {
  refused: { failureClass: 'missing_secret', message: expect.stringMatching(/secret_ref names no folder .*--allow-path DIR/) },
}

describe('secretFolder', () => {
  test('is found by its path, by a URL, by links, and from the working directory', async () => {
    const path = join(root, 'open', 'key')
    for (const ref of [path, join(root, 'link', 'key'), pathToFileURL(path).href, relative(process.cwd(), path)])
      expect(await find(ref)).toEqual({ folder: path })
  })

  test('is none without a name', async () => {
    expect(await find(undefined)).toEqual({})
    expect(await find('')).toEqual({})
  })

  test('is refused where it could be, and is not, with its path and what is expected', async () => {
    await writeFile(join(root, 'open', 'file'), '')
    const refusals = await Promise.all(['missing', 'missing/deep', 'file', 'file/deep'].map((name) => find(join(root, 'open', name))))
    expect(refusals.map((one) => 'refused' in one && one.refused.message.split('. It must be')[0])).toEqual([
      `model.auth.secret_ref names no folder: ${root}/open/missing is not there`,
      `model.auth.secret_ref names no folder: ${root}/open/missing/deep is not there`,
      `model.auth.secret_ref names no folder: ${root}/open/file is a file`,
      `model.auth.secret_ref names no folder: ${root}/open/file/deep is not there`,
    ])
  })

  test('is refused among the runs and in the database of another hub', async () => {
    await mkdir(join(root, 'open', 'hub', 'postgres', 'data'), { recursive: true })
    for (const file of ['password', 'data/PG_VERSION']) await writeFile(join(root, 'open', 'hub', 'postgres', file), '')
    for (const path of ['hub/jobs/x', 'hub/postgres']) expect([path, await find(join(root, 'open', path))]).toEqual([path, refused])
    expect(await find(join(root, 'open', 'hub'))).toEqual({ folder: join(root, 'open', 'hub') })
  })

  test('is refused elsewhere, there or not, also through a link', async () => {
    await symlink(join(root, 'other'), join(root, 'open', 'outwards'))
    await symlink(join(root, 'nothing'), join(root, 'open', 'dangling'))
    for (const path of ['other/key', 'other/missing', 'open/outwards/key', 'open/outwards/missing', 'open/dangling', 'open/dangling/x'])
      expect([path, await find(join(root, path))]).toEqual([path, refused])
    for (const ref of ['file://host/share', 'file:///a%00b', 'model-secret']) expect([ref, await find(ref)]).toEqual([ref, refused])
  })
})
