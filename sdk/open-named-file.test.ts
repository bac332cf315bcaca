import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openNamedFile } from './open-named-file.ts'

let root: string
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'evalhub-named-')))
  for (const name of ['open', 'other']) {
    await mkdir(join(root, name))
    await writeFile(join(root, name, 'file'), name)
  }
})
afterEach(() => rm(root, { recursive: true }))

async function read(path: string, isRestricted = true): Promise<string | undefined> {
  const file = await openNamedFile(join(root, path), isRestricted ? { open: [join(root, 'open')], closed: [] } : undefined)
  try {
    return await file?.readFile('utf8')
  } finally {
    await file?.close()
  }
}

describe('openNamedFile', () => {
  test('opens plain files, links to them included, where they may be named', async () => {
    await symlink(join(root, 'open', 'file'), join(root, 'other', 'inwards'))
    expect(await read('open/file')).toBe('open')
    expect(await read('other/inwards')).toBe('open')
    expect(await read('other/file', false)).toBe('other')
  })

  test('opens nothing elsewhere, whatever leads there', async () => {
    await symlink(join(root, 'other'), join(root, 'open', 'folder'))
    await symlink(join(root, 'other', 'file'), join(root, 'open', 'link'))
    for (const path of ['other/file', 'open/folder/file', 'open/link', 'open/../other/file']) expect(await read(path)).toBeUndefined()
  })

  // The attack: a data directory of another hub lies in the folder where this one was started.
  test('opens nothing among the runs or in the database of any hub', async () => {
    const id = '01930000-0000-7000-8000-000000000000'
    const names = ['hub/postgres/password', 'hub/postgres/data/PG_VERSION', 'hub/jobs/s.jsonl', `bridge/jobs/${id}/0/s.jsonl`]
    for (const name of [...names, 'hub/rows.jsonl']) {
      await mkdir(join(root, 'open', dirname(name)), { recursive: true })
      await writeFile(join(root, 'open', name), 'x')
    }
    await symlink('hub/jobs', join(root, 'open', 'link'))
    for (const name of [...names, 'link/s.jsonl']) expect([name, await read(`open/${name}`)]).toEqual([name, undefined])
    expect(await read('open/hub/rows.jsonl')).toBe('x')
  })

  // A device acts on being opened, and a pipe waits for its writer.
  test('opens nothing but plain files', { timeout: 5000 }, async () => {
    execFileSync('mkfifo', [join(root, 'open', 'pipe')])
    await symlink('/dev/zero', join(root, 'open', 'device'))
    for (const path of ['open', 'open/pipe', 'open/device', 'open/missing', 'open/file/x', 'open/\0']) {
      for (const isRestricted of [true, false]) expect([path, await read(path, isRestricted)]).toEqual([path, undefined])
    }
  })

  // Guarantee: who may change links while a file is opened gains nothing by it.
  test('never opens another file by a link that changes meanwhile', { timeout: 30_000 }, async () => {
    const program = `import { renameSync, symlinkSync } from 'node:fs'
      for (;;) for (const name of ['open', 'other']) { symlinkSync(name, 'next'); renameSync('next', 'link') }`
    await symlink('open', join(root, 'link'))
    const changer = spawn(process.execPath, ['--input-type=module', '-e', program], { cwd: root, stdio: 'inherit' })
    await once(changer, 'spawn')
    const found = new Set<string | undefined>()
    for (let count = 0; count < 5000; count++) found.add(await read('link/file'))
    changer.kill('SIGKILL')
    await once(changer, 'exit')
    expect(found).toEqual(new Set(['open', undefined]))
  })
})
