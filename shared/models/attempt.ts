import { z } from 'zod'
import { FailureClass } from '../domain/failure-class.ts'
import { Opaque } from './fields.ts'

/** One try of a run. A run has another one after a failure that was not its adapter's doing. */
export const Attempt = z.object({
  /** From 1. */
  attempt: z.int(),
  /** RFC 3339. Absent if it was given up before it was launched. */
  launched_at: z.string().optional(),
  /** RFC 3339: when it was on its machine, from which its deadline counts. Absent where that is not told apart from the launch. */
  started_at: z.string().optional(),
  /** The machine that it ran on. */
  node: z.string().optional(),
  /** What its container was given: `{ requests, limits }` of Kubernetes. */
  resources: Opaque.optional(),
  /** RFC 3339. Absent while it is under way. */
  ended_at: z.string().optional(),
  /** Why it failed. Absent if it did not. */
  failure_class: FailureClass.optional(),
  exit_code: z.int().optional(),
  /** What happened and what to do. */
  message: z.string().optional(),
})
export type Attempt = z.infer<typeof Attempt>

/** All tries of a run, the first one first. */
export const AttemptList = z.object({ total_count: z.int(), items: z.array(Attempt) })
