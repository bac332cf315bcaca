import { HubError } from '../errors.ts'
import { COLLECTION_WORDS } from '../models/collection.ts'

/** One change of a JSON Patch (RFC 6902), of the three kinds that are taken. */
export type PatchOperation = { op: 'add' | 'remove' | 'replace'; path: string; value?: unknown }

/** Operations of one patch. */
const OPERATIONS_MAX = 1000

/** Characters of a path, and levels that it leads down: it is taken apart, and followed, for each operation. */
const PATH_MAX = 1024
const LEVELS_MAX = 100

/** Names that mean something to every object of the language, and nothing to us. */
const POLLUTING = new Set(['__proto__', 'constructor', 'prototype'])

/** What may be done to one path. `below`: the same may be done to what lies beneath it. */
type Rule = { path: string; ops: readonly PatchOperation['op'][]; below: boolean }
export type PatchRules = readonly Rule[]

const ALL = ['add', 'remove', 'replace'] as const
const REPLACE = ['replace'] as const

/** Source: section 5.6 of the published contract. */
export const PROVIDER_RULES: PatchRules = [
  { path: '/name', ops: REPLACE, below: false },
  { path: '/title', ops: ALL, below: false },
  { path: '/description', ops: ALL, below: false },
  { path: '/tags', ops: ALL, below: true },
  { path: '/custom', ops: ALL, below: true },
  { path: '/agent', ops: ALL, below: true },
  { path: '/runtime', ops: REPLACE, below: true },
  { path: '/benchmarks', ops: REPLACE, below: true },
]

/** Source: sections 6.5 and 19 of the published contract; of the lists of words, what its server was seen to take. */
export const COLLECTION_RULES: PatchRules = [
  { path: '/name', ops: REPLACE, below: false },
  { path: '/category', ops: REPLACE, below: false },
  { path: '/description', ops: ALL, below: false },
  { path: '/tags', ops: ALL, below: true },
  { path: '/custom', ops: ALL, below: true },
  { path: '/benchmarks', ops: REPLACE, below: true },
  { path: '/pass_criteria', ops: ALL, below: false },
  ...COLLECTION_WORDS.map((name) => ({ path: `/${name}`, ops: ALL, below: true })),
]

/**
 * The operations of a patch, each of which `rules` allow.
 *
 * Refuses with the contract's codes, in its order: what is no list of operations, or of too many (`invalid_json_request`), another kind of operation
 * (`invalid_patch_operation`), an empty path (`invalid_json_request`), a path that must not be changed so (`unallowed_patch`). Null is no change.
 */
export function readPatch(json: unknown, rules: PatchRules): PatchOperation[] {
  if (json === null) return []
  if (!Array.isArray(json)) throw HubError.of('invalid_json_request', { Error: 'the body must be a list of patch operations' })
  if (json.length > OPERATIONS_MAX) {
    const error = `the patch has ${json.length} operations, and at most ${OPERATIONS_MAX} are taken: replace the whole of what changes most`
    throw HubError.of('invalid_json_request', { Error: error })
  }
  return json.map((item: unknown) => readOperation(item, rules))
}

function readOperation(item: unknown, rules: PatchRules): PatchOperation {
  const { op, path, value } = typeof item === 'object' && item !== null ? (item as Record<string, unknown>) : {} // keys of any object are text
  if (op !== 'add' && op !== 'remove' && op !== 'replace') {
    throw HubError.of('invalid_patch_operation', { Operation: String(op ?? ''), AllowedOperations: 'replace, add, remove' })
  }
  if (typeof path !== 'string' || path === '') {
    throw HubError.of('invalid_json_request', { Error: 'each patch operation needs a path' })
  }
  if (path.length > PATH_MAX) {
    throw HubError.of('invalid_json_request', { Error: `a path of the patch has ${path.length} characters; at most ${PATH_MAX} are taken` })
  }
  const parts = path.split('/')
  if (parts.length - 1 > LEVELS_MAX) {
    throw HubError.of('invalid_json_request', {
      Error: `a path of the patch leads ${parts.length - 1} levels down; at most ${LEVELS_MAX} are taken`,
    })
  }
  const isAllowed = rules.some((rule) => rule.ops.includes(op) && (path === rule.path || (rule.below && path.startsWith(`${rule.path}/`))))
  if (!isAllowed || parts.some((part) => POLLUTING.has(part))) throw HubError.of('unallowed_patch', { Operation: op, Path: path })
  return { op, path, ...(op !== 'remove' && { value }) }
}
