import { z } from 'zod'

const Link = z.object({ href: z.string() })

/** One page of a list. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({
    /** The request as it was received. */
    first: Link,
    /** Absent on the last page. */
    next: Link.optional(),
    limit: z.int(),
    /** Items on all pages. */
    total_count: z.int(),
    /** What is asked for and can never be found, or is not done, such as a state that no job has. Absent: nothing. */
    warnings: z.array(z.string()).min(1).optional(),
    items: z.array(item),
  })

export type Page<Item> = {
  first: { href: string }
  next?: { href: string }
  limit: number
  total_count: number
  warnings?: string[]
  items: Item[]
}
