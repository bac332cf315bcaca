import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { OCI_PLACE } from '#shared/domain/oci-place.ts'
import type { JobSpec } from '#shared/models/job-spec.ts'
import { AdapterFailure, type Artifact } from './adapter.ts'
import { packLayer, type Layer, type RegisteredFile } from './oci-layer.ts'
import { createRegistry, shortened, type Stored } from './oci-registry.ts'

/** Media types, annotations and tag are those of the published Python SDK (section 3.10 of the contract), whose readers thus read ours. */
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const CONFIG = 'application/vnd.oci.image.config.v1+json'
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip'
const ARTIFACT_TYPE = 'application/vnd.eval-hub.github.io'
const TITLE = 'olot.layer.content.name'
/** Ours: the name by which the results have the file. */
const NAME = 'io.github.eval-hub.artifact'

type Coordinates = NonNullable<NonNullable<JobSpec['exports']>['oci']>['coordinates']

/** What the results say of an export: each artifact by its name, and the whole as the published SDK has it. */
export type Exported = { oci_reference: string; oci_digest: string } & Record<string, Artifact | string>

type Export = {
  spec: JobSpec
  coordinates: Coordinates
  files: readonly RegisteredFile[]
  /** Folder of the run, where a layer lies while it is pushed. */
  workdir: string
  patienceSeconds: number
  signal: AbortSignal
  log: (line: string) => void
}

/**
 * Pushes the files of a run as one OCI artifact, through the sidecar, which has the credentials.
 *
 * Throws `AdapterFailure` in words for the user if the registry does not take it.
 */
export async function exportArtifacts(asked: Export): Promise<Exported> {
  const { spec, coordinates, files, log } = asked
  checkPlace(coordinates)
  const repository = `${hostOf(coordinates)}/${coordinates.oci_repository}`
  const registry = createRegistry({ ...asked, baseUrl: spec.callback_url, repository: coordinates.oci_repository, shownAs: repository })

  const layers = await pushLayers(asked, (layer) => registry.putBlob(layer))
  const config = textOf(CONFIG, configOf(layers))
  await registry.putBlob(config)
  const manifest = textOf(MANIFEST, {
    schemaVersion: 2,
    mediaType: MANIFEST,
    artifactType: ARTIFACT_TYPE,
    config: descriptorOf(config, Buffer.byteLength(config.content.text)),
    layers: layers.map(({ layer, annotations }) => ({ ...descriptorOf({ ...layer, mediaType: LAYER }, layer.bytes), annotations })),
    annotations: annotationsOf(spec, coordinates),
  })
  const tag = coordinates.oci_tag || tagOf(spec)
  await registry.putManifest(tag, manifest)

  const reference = `${repository}:${tag}@${manifest.digest}`
  log(`Artifacts: ${reference}.`)
  const uri = `oci://${reference}`
  const artifacts = files.map(({ name, artifact }) => [name, { ...artifact, uri }] as const)
  return { ...Object.fromEntries(artifacts), oci_reference: reference, oci_digest: manifest.digest }
}

function checkPlace(coordinates: Coordinates): void {
  for (const field of ['oci_repository', 'oci_tag'] as const) {
    const { grammar, rule } = OCI_PLACE[field]
    const value = coordinates[field]
    if (!value || grammar.test(value)) continue
    const shown = JSON.stringify(shortened(value))
    throw new AdapterFailure('oci_export_failed', `exports.oci.coordinates.${field} is ${shown}, but must be ${rule}.`)
  }
}

type Pushed = { layer: Layer; annotations: Record<string, string> }

/** One after another, so that no more than one lies on the disk. */
async function pushLayers({ files, workdir, signal }: Export, push: (layer: Stored) => Promise<void>): Promise<Pushed[]> {
  const folder = await mkdtemp(join(workdir, '.export-'))
  try {
    const pushed: Pushed[] = []
    for (const file of files) {
      const packedPath = join(folder, 'layer')
      const title = titleOf(file, workdir)
      const layer = await packLayer(file, { title, packedPath, signal })
      await push({ digest: layer.digest, mediaType: LAYER, content: { path: packedPath } })
      pushed.push({ layer, annotations: { [TITLE]: title, [NAME]: file.name } })
    }
    return pushed
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The path below the run's folder; a file from elsewhere has its artifact's name for a folder. */
function titleOf({ name, path }: RegisteredFile, workdir: string): string {
  const inside = relative(workdir, path)
  return inside.startsWith('..') ? `${name}/${basename(path)}` : inside
}

const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`

function textOf(mediaType: string, value: object) {
  const text = JSON.stringify(value)
  return { mediaType, digest: digestOf(text), content: { text } }
}

const descriptorOf = ({ mediaType, digest }: Pick<Stored, 'mediaType' | 'digest'>, size: number) => ({ mediaType, digest, size })

const configOf = (layers: readonly Pushed[]) => ({
  architecture: 'unknown',
  os: 'unknown',
  rootfs: { type: 'layers', diff_ids: layers.map(({ layer }) => layer.diffId) },
})

const annotationsOf = (spec: JobSpec, { annotations }: Coordinates) => ({
  'io.github.eval-hub.job_id': spec.id,
  'io.github.eval-hub.benchmark_id': spec.benchmark_id,
  'io.github.eval-hub.provider_id': spec.provider_id,
  ...annotations,
})

/** The same for every attempt of a run: the last one has it, and earlier ones are found by their digests. */
const tagOf = ({ id, provider_id, benchmark_id, benchmark_index }: JobSpec) =>
  `evalhub-${createHash('sha256').update(`${id}:${provider_id}:${benchmark_id}:${benchmark_index}`).digest('hex')}`

/** In references a host has no scheme. */
const hostOf = ({ oci_host }: Coordinates) => oci_host.trim().replace(/^https?:\/\//i, '').replace(/(?<!\/)\/+$/, '') // prettier-ignore
