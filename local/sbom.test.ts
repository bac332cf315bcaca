import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import packageFile from '../package.json' with { type: 'json' }
import { packagesOf, sbomOf } from './sbom.ts'

const HOME = join(import.meta.dirname, '..')

const document = (run: string) => ({
  bomFormat: 'CycloneDX' as const,
  serialNumber: `urn:uuid:${run}`,
  metadata: { timestamp: run, component: { 'bom-ref': 'evalhub@1.0.0', name: 'folder' } },
  components: ['a@1.0.0', 'b@2.0.0', 'tool@3.0.0'].map((ref) => ({ 'bom-ref': ref })),
  dependencies: [
    { ref: 'evalhub@1.0.0', dependsOn: ['a@1.0.0', 'tool@3.0.0'] },
    { ref: 'a@1.0.0', dependsOn: ['b@2.0.0'] },
    { ref: 'tool@3.0.0', dependsOn: ['a@1.0.0'] },
  ],
})

describe('the list of parts', () => {
  test('has what was built in, and nothing of the tools that built it', () => {
    const { components, dependencies, metadata } = sbomOf(document('x'), 'evalhub', new Set(['a@1.0.0', 'b@2.0.0']))
    expect(components.map((component) => component['bom-ref'])).toEqual(['a@1.0.0', 'b@2.0.0'])
    expect(dependencies).toEqual([
      { ref: 'evalhub@1.0.0', dependsOn: ['a@1.0.0'] },
      { ref: 'a@1.0.0', dependsOn: ['b@2.0.0'] },
    ])
    expect(metadata.component).toEqual({ 'bom-ref': 'evalhub@1.0.0', name: 'evalhub' })
  })

  test('is the same, byte for byte, whenever and wherever it is written', () => {
    const [one, other] = ['2026-01-01', '2027-02-02'].map((run) => JSON.stringify(sbomOf(document(run), 'evalhub', new Set(['a@1.0.0']))))
    expect(one).toBe(other)
  })

  test('is not written if it would lack a part', () => {
    expect(() => sbomOf(document('x'), 'evalhub', new Set(['a@1.0.0', 'a@1.0.1', 'c@1.0.0']))).toThrow(/a@1\.0\.1, c@1\.0\.0/)
  })

  test('knows the package of a file, the inner one of two, and none of our own files', async () => {
    const files = ['functions/server.ts', 'node_modules/zod/index.js', 'node_modules/@hono/node-server/dist/index.mjs']
    const { zod, '@hono/node-server': server } = packageFile.dependencies
    expect(await packagesOf(HOME, files)).toEqual(new Set([`zod@${zod}`, `@hono/node-server@${server}`]))
  })
})
