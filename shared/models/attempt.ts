import { z } from 'zod'

/** One try of a run. A run has another one after a failure that was not its adapter's doing. */
export const Attempt = z.object({
  /** From 1. */
  attempt: z.int(),
  /** RFC 3339. Absent if it was given up before it was launched. */
  launched_at: z.string().optional(),
  /** RFC 3339. Absent while it is under way. */
  ended_at: z.string().optional(),
  /** Why it failed, in one word of a closed list. Absent if it did not. */
  failure_class: z.string().optional(),
  exit_code: z.int().optional(),
  /** What happened and what to do. */
  message: z.string().optional(),
})
export type Attempt = z.infer<typeof Attempt>

/** All tries of a run, the first one first. */
export const AttemptList = z.object({ total_count: z.int(), items: z.array(Attempt) })
