import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import packageFile from '../package.json' with { type: 'json' }
import { makeFolder, removeFolder } from './temporary-folder.ts'

const build = (folder: string) => promisify(execFile)(process.execPath, [join(import.meta.dirname, '../local/build.ts'), folder])

// Guarantee: what an image is made of can be read in it, and two builds of one commit say the same.
test('a build lists the packages in it, by their digests and the same each time, and none of those that built it', async ({
  onTestFinished,
}) => {
  const folders = await Promise.all([makeFolder(), makeFolder()])
  onTestFinished(async () => void (await Promise.all(folders.map(removeFolder))))
  for (const folder of folders) await build(folder)
  const [text = '', other] = await Promise.all(folders.map((folder) => readFile(join(folder, 'app/sbom.cdx.json'), 'utf8')))
  expect(text).toBe(other)

  const sbom = JSON.parse(text) as { bomFormat: string; components: { 'bom-ref': string; hashes: { alg: string }[] }[] }
  const listed = sbom.components.map((component) => component['bom-ref'])
  expect(sbom.bomFormat).toBe('CycloneDX')
  const partsOf = (packages: Record<string, string>) => Object.entries(packages).map(([name, version]) => `${name}@${version}`)
  expect(listed).toEqual(expect.arrayContaining(partsOf(packageFile.dependencies)))
  for (const part of partsOf(packageFile.devDependencies)) expect(listed).not.toContain(part)
  for (const { hashes } of sbom.components) expect(hashes).toMatchObject([{ alg: 'SHA-512' }])
  expect(text).not.toMatch(/registry|npmjs|\/-\//)
})

// Guarantee: whoever has an older Node learns of it in one line, whichever program he starts.
test('every built program says which Node it needs, before it does anything else', async ({ onTestFinished }) => {
  const folder = await makeFolder()
  onTestFinished(() => removeFolder(folder))
  await build(folder)
  const older = `data:text/javascript,Object.defineProperty(process.versions, 'node', { value: '20.20.2' })`
  const programs = (await readdir(join(folder, 'app'))).filter((name) => name.endsWith('.mjs'))
  expect(programs).toHaveLength(6)
  for (const name of programs) {
    const ended = await promisify(execFile)(process.execPath, ['--import', older, join(folder, 'app', name)], { env: {} }).catch(
      (error: { code: number; stdout: string; stderr: string }) => error,
    )
    expect([name, ended]).toMatchObject([
      name,
      { code: 1, stdout: '', stderr: 'evalhub: needs Node 24 or newer, and this is Node 20.20.2\n' },
    ])
  }
})
