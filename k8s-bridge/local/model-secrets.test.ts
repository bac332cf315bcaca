import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readModelSecrets } from './model-secrets.ts'

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
