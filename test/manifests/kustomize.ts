import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { applyPatch, type Operation } from 'rfc6902'
import { parse, parseAllDocuments } from 'yaml'

/** Of any kind. */
type Fields = Record<string, any> // oxlint-disable-line typescript/no-explicit-any -- each kind has others

/** An object of Kubernetes, as a file has it. */
export type Manifest = { apiVersion: string; kind: string; metadata: { name: string; namespace?: string } & Fields } & Fields

type Image = { name: string; newName?: string; newTag?: string; digest?: string }
type Patch = { target?: { kind: string; name: string }; patch: string }
type Field = { kind: string; name: string }
type Replacement = { source: Field & { fieldPath: string }; targets: { select: Field; fieldPaths: string[] }[] }
type Kustomization = {
  apiVersion: string
  kind: string
  namespace?: string
  resources: string[]
  labels?: { pairs: Record<string, string> }[]
  patches?: Patch[]
  images?: Image[]
  replacements?: Replacement[]
}

const KNOWN = ['apiVersion', 'kind', 'namespace', 'resources', 'labels', 'patches', 'images', 'replacements']
const OF_THE_CLUSTER = new Set(['Namespace', 'ClusterRole', 'ClusterRoleBinding'])

/**
 * What `kubectl kustomize` makes of a folder, for as much of it as this project's folders use; throws at anything else. In kustomize's order: patches,
 * namespace, labels, images, replacements.
 */
export function render(folder: string): Manifest[] {
  const file = parse(readFileSync(join(folder, 'kustomization.yaml'), 'utf8')) as Kustomization
  const unknown = Object.keys(file).filter((key) => !KNOWN.includes(key))
  if (unknown.length > 0) throw new Error(`${folder}: this reader does not know ${unknown.join(', ')}`)
  const read = file.resources.flatMap((path) => (path.endsWith('.yaml') ? readManifests(join(folder, path)) : render(join(folder, path))))
  const manifests = (file.patches ?? []).reduce(patched, read)
  for (const manifest of manifests) {
    const { metadata, kind } = manifest
    if (file.namespace !== undefined && !OF_THE_CLUSTER.has(kind)) metadata.namespace = file.namespace
    for (const { pairs } of file.labels ?? []) metadata.labels = { ...metadata.labels, ...pairs }
    for (const container of containersOf(manifest)) container.image = named(container.image, file.images ?? [])
  }
  for (const replacement of file.replacements ?? []) replace(manifests, replacement)
  return manifests
}

export const readManifests = (path: string): Manifest[] =>
  parseAllDocuments(readFileSync(path, 'utf8')).map((document) => document.toJS() as Manifest)

/** Throws if there is none, or more than one. */
export function only(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const [found, ...others] = manifests.filter((manifest) => manifest.kind === kind && manifest.metadata.name === name)
  if (found === undefined || others.length > 0) throw new Error(`There is ${found ? 'more than one' : 'no'} ${kind} ${name}`)
  return found
}

type Container = { name: string; image: string; env?: { name: string; value?: string }[] }

export const containersOf = ({ spec }: Manifest): Container[] => {
  const pod = spec?.template?.spec
  return [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])]
}

function patched(manifests: Manifest[], { target, patch }: Patch): Manifest[] {
  const change = parse(patch) as Operation[] | (Manifest & { $patch: string })
  if (!Array.isArray(change)) {
    if (change.$patch !== 'delete') throw new Error('This reader knows merge patches that delete only')
    const gone = only(manifests, change.kind, change.metadata.name)
    return manifests.filter((manifest) => manifest !== gone)
  }
  if (target === undefined) throw new Error('A JSON patch needs a target')
  const errors = applyPatch(only(manifests, target.kind, target.name), change).filter((error) => error !== null)
  if (errors.length > 0) throw new Error(`The patch of ${target.kind} ${target.name} does not fit: ${errors.map(String).join('; ')}`)
  return manifests
}

/** An image's name, without tag and digest. A colon before a slash is a port's. */
const nameOf = (image: string) => image.replace(/@.*$/, '').replace(/:[^/]*$/, '')

function named(image: string, images: readonly Image[]): string {
  const match = images.find(({ name }) => name === nameOf(image))
  if (!match) return image
  const name = match.newName ?? match.name
  if (match.digest !== undefined) return `${name}@${match.digest}`
  return match.newTag === undefined ? name + image.slice(nameOf(image).length) : `${name}:${match.newTag}`
}

function replace(manifests: readonly Manifest[], { source, targets }: Replacement): void {
  const value = at(only(manifests, source.kind, source.name), stepsOf(source.fieldPath))
  for (const { select, fieldPaths } of targets) {
    for (const path of fieldPaths) {
      const steps = stepsOf(path)
      const owner = at(only(manifests, select.kind, select.name), steps.slice(0, -1)) as Record<string, unknown>
      owner[steps.at(-1) ?? ''] = value
    }
  }
}

/** `spec.containers.[name=a.b].image` has four. */
const stepsOf = (path: string): string[] => path.match(/\[[^\]]*\]|[^.[\]]+/g) ?? []

function at(value: unknown, steps: readonly string[]): unknown {
  return steps.reduce((inner, step) => {
    const selector = /^\[(.+)=(.+)\]$/.exec(step)
    const found = selector
      ? (inner as Record<string, unknown>[]).find((item) => item[selector[1] ?? ''] === selector[2])
      : (inner as Record<string, unknown> | undefined)?.[step]
    if (found === undefined) throw new Error(`There is no ${step} in ${steps.join('.')}`)
    return found
  }, value)
}
