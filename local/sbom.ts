import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'

/** A list of parts in CycloneDX's JSON, as `npm sbom` writes it; what is not named here is kept as it is. */
const Sbom = z.looseObject({
  bomFormat: z.literal('CycloneDX'),
  serialNumber: z.string().optional(),
  metadata: z.looseObject({ timestamp: z.string().optional(), component: z.looseObject({ 'bom-ref': z.string() }) }),
  components: z.array(z.looseObject({ 'bom-ref': z.string() })),
  dependencies: z.array(z.looseObject({ ref: z.string(), dependsOn: z.array(z.string()) })),
})
export type Sbom = z.output<typeof Sbom>

/**
 * The parts among `document`'s that an artefact really has (`name@version` each), and what depends on what among them. `name` is that of the
 * artefact. Neither a time nor a random number stays, so the same lock file makes the same bytes.
 *
 * Throws if a part is not in the document: then the artefact has what the lock file does not.
 */
export function sbomOf(document: Sbom, name: string, parts: ReadonlySet<string>): Sbom {
  const known = new Set(document.components.map((component) => component['bom-ref']))
  const missing = [...parts].filter((part) => !known.has(part))
  if (missing.length > 0) throw new Error(`npm's list of packages has not what the programs are made of: ${missing.join(', ')}`)
  const { serialNumber: _number, metadata, ...rest } = document
  const { timestamp: _time, ...lasting } = metadata
  const root = metadata.component['bom-ref']
  return {
    ...rest,
    metadata: { ...lasting, component: { ...metadata.component, name } },
    components: document.components.filter((component) => parts.has(component['bom-ref'])),
    dependencies: document.dependencies
      .filter(({ ref }) => ref === root || parts.has(ref))
      .map((one) => ({ ...one, dependsOn: one.dependsOn.filter((ref) => parts.has(ref)) })),
  }
}

/** What the lock file of `home` says, by npm: all packages, those of development too (`--omit dev` loses what is also somebody's peer). */
export async function readSbom(home: string): Promise<Sbom> {
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only']
  const { stdout } = await promisify(execFile)('npm', args, { cwd: home, maxBuffer: 64 * 1024 * 1024 })
  return Sbom.parse(JSON.parse(stdout))
}

const PackageFile = z.object({ name: z.string(), version: z.string() })

/** The packages, `name@version`, that files below `home` belong to; of those that belong to none, nothing. */
export async function packagesOf(home: string, files: readonly string[]): Promise<Set<string>> {
  const folders = new Set(files.flatMap((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0] ?? []))
  const packages = await Promise.all(
    [...folders].map(async (folder) => PackageFile.parse(JSON.parse(await readFile(join(home, folder, 'package.json'), 'utf8')))),
  )
  return new Set(packages.map(({ name, version }) => `${name}@${version}`))
}
