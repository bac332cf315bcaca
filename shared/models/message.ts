import { z } from 'zod'

/** A sentence for a person and a code for a program; always both. */
export const Message = z.object({
  message: z.string().min(1),
  message_code: z.string().min(1),
  /** Who says so: `server`, `runtime`, `adapter` or `sdk`. */
  message_origin: z.string().optional(),
})
export type Message = z.infer<typeof Message>
