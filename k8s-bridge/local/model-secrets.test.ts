import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lackOfKey, readModelSecrets } from './model-secrets.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evalhub-secrets-'))
})
afterEach(() => rm(folder, { recursive: true }))

test('the keys of a model are hidden', async () => {
  await writeFile(join(folder, 'api-key'), 'sk-12345678\n')
  expect(await readModelSecrets(folder)).toEqual([Buffer.from('sk-12345678')])
  expect(await readModelSecrets(undefined)).toEqual([])
})

// Guarantee: no key is shown since it is too long to be looked for.
test.each([100_000, 300_000, 1_100_000])('a key of %i bytes is hidden too', async (length) => {
  await writeFile(join(folder, 'hf-token'), 'x'.repeat(length))
  const hidden = await readModelSecrets(folder)
  if (length > 256 * 1024) expect(hidden).toBe('everything')
  else expect(hidden).toEqual([Buffer.alloc(length, 'x')])
})

// Guarantee: whoever puts a pipe where a key belongs does not hold up the bridge.
test('a key that is a pipe is not waited for', async () => {
  await promisify(execFile)('mkfifo', [join(folder, 'api-key')])
  expect(await readModelSecrets(folder)).toEqual([])
  expect((await lackOfKey(folder))?.message).toContain('api-key is no plain file')
})

test('a folder gives a key by its file api-key, also as Kubernetes projects it', async () => {
  await mkdir(join(folder, '..data'))
  await writeFile(join(folder, '..data', 'api-key'), 'sk-12345678')
  await symlink(join('..data', 'api-key'), join(folder, 'api-key'))
  expect(await lackOfKey(folder)).toBeUndefined()
})

test.each(['hf-token', 'ca_cert'])('a folder that has %s may do without a key, but not with an empty one', async (name) => {
  await writeFile(join(folder, name), 'x')
  expect(await lackOfKey(folder)).toBeUndefined()
  await writeFile(join(folder, 'api-key'), ' ')
  expect((await lackOfKey(folder))?.message).toContain('api-key is empty')
})

test('a key that no adapter reads, since it is too long, is none', async () => {
  await writeFile(join(folder, 'api-key'), 'x'.repeat(65_537))
  expect((await lackOfKey(folder))?.message).toContain('has more than 65536 bytes')
})
