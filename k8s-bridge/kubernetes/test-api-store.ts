import { randomUUID } from 'node:crypto'
import type { V1ObjectMeta, V1OwnerReference } from '@kubernetes/client-node'
import { applyPatch, type Operation } from 'rfc6902'

/** As Kubernetes knows it, of any kind. */
export type ApiObject = {
  apiVersion?: string
  kind?: string
  metadata: Omit<V1ObjectMeta, 'creationTimestamp' | 'deletionTimestamp'> & {
    name: string
    uid: string
    resourceVersion: string
    creationTimestamp: string
    deletionTimestamp?: string
    ownerReferences?: V1OwnerReference[]
  }
  spec?: Record<string, unknown>
  status?: Record<string, unknown>
  [more: string]: unknown
}

/** Where objects of a kind are: `jobs.batch`, and the namespace, which is empty for kinds that have none. */
export type Place = { kinds: string; namespace: string }

/** One write: what was there before and after it. */
export type Written = Place & { version: number; before: ApiObject | undefined; after: ApiObject | undefined }

/** What the API server says instead of an answer. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: number
  readonly reason: string
  readonly causes: readonly string[]

  constructor(code: number, reason: string, message: string, causes: readonly string[] = []) {
    super(message)
    this.code = code
    this.reason = reason
    this.causes = causes
  }
}

type Deletion = { propagationPolicy?: string; gracePeriodSeconds?: number; preconditions?: { uid?: string } }

/** etcd and the part of the API server that is the same for all kinds: versions, uids, generations, finalizers, deletion. */
export function createStore() {
  const objects = new Map<string, ApiObject>()
  const history: Written[] = []
  const watchers = new Set<(written: Written) => void>()
  let version = 1
  let forgotten = 0

  const keyOf = ({ kinds, namespace }: Place, name: string) => `${kinds}/${namespace}/${name}`
  const write = (place: Place, name: string, after: ApiObject | undefined): ApiObject => {
    const before = objects.get(keyOf(place, name))
    version += 1
    const written = { ...place, version, before, after: after && versioned(after, version) }
    if (written.after) objects.set(keyOf(place, name), written.after)
    else objects.delete(keyOf(place, name))
    history.push(written)
    for (const tell of watchers) tell(written)
    // What is deleted is told with the version of its deletion.
    return written.after ?? versioned(before!, version)
  }
  const find = (place: Place, name: string) => objects.get(keyOf(place, name))
  const read = (place: Place, name: string): ApiObject => {
    const found = find(place, name)
    if (!found) throw new Refusal(404, 'NotFound', `${place.kinds} "${name}" not found`)
    return found
  }
  const store = {
    find,
    read,
    version: () => version,
    /** In the order of etcd: by namespace and name. An empty namespace is all of them. */
    list: ({ kinds, namespace }: Place): ApiObject[] =>
      [...objects.keys()]
        .filter((key) => key.startsWith(namespace === '' ? `${kinds}/` : `${kinds}/${namespace}/`))
        .toSorted()
        .map((key) => objects.get(key)!),
    /** `complete` is for what an object says of its own uid. */
    create(place: Place, { metadata: given, ...rest }: ApiObject, complete = (object: ApiObject) => object): ApiObject {
      const name = given?.name ?? (given?.generateName ? given.generateName + randomUUID().slice(0, 5) : '')
      if (name === '') throw new Refusal(422, 'Invalid', 'metadata.name: Required value: name or generateName is required')
      if (find(place, name)) throw new Refusal(409, 'AlreadyExists', `${place.kinds} "${name}" already exists`)
      const namespace = place.namespace === '' ? {} : { namespace: place.namespace }
      const own = { name, ...namespace, uid: randomUUID(), generation: 1, creationTimestamp: toSeconds(Date.now()) }
      return write(place, name, complete({ ...rest, metadata: { ...given, ...own, resourceVersion: '' } }))
    },
    /** `change` gets a copy. Writes of a subresource change the status alone, others everything else. */
    update(place: Place, name: string, part: 'status' | 'object', change: (copy: ApiObject) => ApiObject): ApiObject {
      const before = read(place, name)
      const changed = change(structuredClone(before))
      const { uid, creationTimestamp, deletionTimestamp, generation = 1 } = before.metadata
      const after =
        part === 'status'
          ? { ...before, metadata: { ...before.metadata }, status: changed.status ?? {} }
          : { ...changed, ...(before.status && { status: before.status }) }
      const isNewSpec = JSON.stringify(after.spec) !== JSON.stringify(before.spec)
      Object.assign(after.metadata, { name, uid, creationTimestamp, generation: generation + (isNewSpec ? 1 : 0) })
      if (deletionTimestamp !== undefined) after.metadata.deletionTimestamp = deletionTimestamp
      const isOver = deletionTimestamp !== undefined && (after.metadata.finalizers ?? []).length === 0 && !isEnding(after)
      return write(place, name, isOver ? undefined : after)
    },
    /** Nobody but a controller, or a test, takes away what a finalizer or a grace period holds. */
    remove(place: Place, name: string, { propagationPolicy, gracePeriodSeconds, preconditions }: Deletion): ApiObject {
      const found = read(place, name)
      if (preconditions?.uid !== undefined && preconditions.uid !== found.metadata.uid) {
        const message = `Operation cannot be fulfilled on ${place.kinds} "${name}": the UID in the precondition (${preconditions.uid}) does not match the UID in record (${found.metadata.uid})`
        throw new Refusal(409, 'Conflict', message)
      }
      const held = { Foreground: 'foregroundDeletion', Orphan: 'orphan' }[propagationPolicy ?? '']
      const finalizers = [...new Set([...(found.metadata.finalizers ?? []), ...(held ? [held] : [])])]
      const graceSeconds = place.kinds === 'pods' && found.spec?.['nodeName'] ? (gracePeriodSeconds ?? 30) : 0
      if (finalizers.length === 0 && graceSeconds === 0) return write(place, name, undefined)
      const metadata = {
        ...found.metadata,
        ...(finalizers.length > 0 && { finalizers }),
        deletionTimestamp: found.metadata.deletionTimestamp ?? toSeconds(Date.now() + graceSeconds * 1000),
        deletionGracePeriodSeconds: graceSeconds,
      }
      return write(place, name, { ...found, metadata })
    },
    /** As a namespace that is deleted is emptied. */
    empty(namespace: string) {
      for (const key of objects.keys()) {
        const [kinds = '', place, name = ''] = key.split('/')
        if (place === namespace) write({ kinds, namespace }, name, undefined)
      }
    },
    /** What was written since then, and all that follows. Refused if it is forgotten: the caller has to list again. */
    watch(since: number, tell: (written: Written) => void): () => void {
      if (since < forgotten) throw new Refusal(410, 'Expired', `too old resource version: ${since} (${forgotten})`)
      for (const written of history) if (written.version > since) tell(written)
      watchers.add(tell)
      return () => void watchers.delete(tell)
    },
    /** As etcd is compacted every few minutes. */
    forget() {
      forgotten = version
      history.length = 0
    },
    isForgotten: (one: number) => one < forgotten,
  }
  return store
}

export type Store = ReturnType<typeof createStore>

const toSeconds = (ms: number) => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')

const versioned = (object: ApiObject, version: number): ApiObject => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion: String(version) },
})

/** A pod that a kubelet has yet to end. */
const isEnding = ({ metadata }: ApiObject) => (metadata.deletionGracePeriodSeconds ?? 0) > 0

/** The two kinds of patches that EvalHub sends: RFC 6902 for a list, RFC 7396 for an object. */
export function patched(object: ApiObject, patch: unknown): ApiObject {
  if (!Array.isArray(patch)) return merged(object, patch) as ApiObject
  const [error] = applyPatch(object, patch as Operation[]).filter((one) => one !== null)
  if (error) throw new Refusal(422, 'Invalid', `the server rejected our request due to an error in our request: ${error.message}`)
  return object
}

function merged(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = merged(result[key], value)
  }
  return result
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
