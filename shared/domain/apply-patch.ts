import { applyPatch as applyTo, Pointer } from 'rfc6902'
import { refuseDeep } from '../decode.ts'
import { HubError } from '../errors.ts'
import type { PatchOperation } from './read-patch.ts'

/**
 * `document` after the operations, as a copy. To replace a member that is not there adds it, as on the published server.
 *
 * Refuses with `invalid_json_request` what cannot be done: a parent or a member that does not exist, a place outside of a list; what moves too many
 * items of long lists, or lies deeper afterwards than a body may.
 */
export function applyPatch(document: object, operations: readonly PatchOperation[]): unknown {
  const patched: unknown = structuredClone(document)
  let moved = 0
  for (const operation of operations) {
    const { parent, key, value } = Pointer.fromJSON(operation.path).evaluate(patched)
    if (typeof parent !== 'object' || parent === null) throw impossible(operation, 'its parent is no list and no object')
    if (Array.isArray(parent) && !isPlace(parent, key, operation.op)) throw impossible(operation, `${key} is no place in the list`)
    if (Array.isArray(parent) && operation.op !== 'replace') moved += key === '-' ? 0 : parent.length - Number(key)
    if (moved > MOVED_MAX)
      throw impossible(operation, `with it, more than ${MOVED_MAX} items of lists would be moved; replace the whole list`)
    const op = operation.op === 'replace' && value === undefined && !Array.isArray(parent) ? 'add' : operation.op
    const [error] = applyTo(patched, [{ op, path: operation.path, value: operation.value ?? null }])
    if (error) throw impossible(operation, 'there is nothing at that path')
  }
  refuseDeep(patched)
  return patched
}

/** Items behind those that are added or removed, which move with each. As many operations as a patch may have can be made on a list of a thousand. */
const MOVED_MAX = 2_000_000

/** An index of the list; to add, also its end. */
const isPlace = (list: unknown[], key: string, op: PatchOperation['op']) =>
  (op === 'add' && key === '-') || (/^(0|[1-9]\d*)$/.test(key) && Number(key) < list.length + (op === 'add' ? 1 : 0))

const impossible = ({ op, path }: PatchOperation, reason: string) =>
  HubError.of('invalid_json_request', { Error: `the operation '${op}' cannot be applied to '${path}': ${reason}` })
