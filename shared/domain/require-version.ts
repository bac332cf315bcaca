import { HubError } from '../errors.ts'

/** The versions of a thing that a change may start from. Undefined: any. */
export type ExpectedVersions = readonly string[] | undefined

/** Refuses with `precondition_failed` a change of something that is at another version than the caller expects. Ask under the thing's lock. */
export function requireVersion(expected: ExpectedVersions, present: string): void {
  if (expected && !expected.includes(present)) throw HubError.of('precondition_failed', {})
}
