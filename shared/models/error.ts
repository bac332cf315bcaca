import { z } from 'zod'

/** Body of every answer that is a refusal or a failure. */
export const ErrorBody = z.object({
  /** The contract's code: what a program tells cases apart by. */
  message_code: z.string(),
  message: z.string(),
  /** Id of the request, by which the hub's log has it. */
  trace: z.string(),
})
export type ErrorBody = z.infer<typeof ErrorBody>
