import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { builderOf } from './builder-config.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evalhub-builders-'))
})
afterEach(() => rm(folder, { recursive: true }))

const install = (name: string) => writeFile(join(folder, name), '#!/bin/sh', { mode: 0o755 })

describe('an image', () => {
  test('is built by the first program that is installed, or by the one that was named', async () => {
    await install('docker')
    expect(await builderOf(undefined, `/nowhere${delimiter}${folder}`)).toBe('docker')
    await install('buildah')
    expect(await builderOf(undefined, folder)).toBe('buildah')
    expect(await builderOf('docker', folder)).toBe('docker')
  })

  test('is not built by what is not installed, and a sentence says what to give', async () => {
    await expect(builderOf(undefined, folder)).rejects.toThrow(
      'An image is built by podman, buildah, docker, and none of them is installed',
    )
    await install('docker')
    await expect(builderOf('podman', folder)).rejects.toThrow('podman is not installed: give --builder docker')
  })

  test('is refused before anything is built where there is no builder', async () => {
    const args = [join(import.meta.dirname, 'build-image.ts'), '--local-base', 'localhost/node:24', '--tag', 'localhost/x:1']
    const refused = promisify(execFile)(process.execPath, args, { env: { PATH: folder } })
    await expect(refused).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^An image is built by .*--builder/s),
    })
  })
})
