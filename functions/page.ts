import type { Context } from 'hono'
import type { Listed, Slice } from '#db/queries/filters.ts'
import type { ItemGroup } from '#db/queries/in-groups.ts'
import type { Page } from '#shared/models/page.ts'
import { answer, jsonHeaders } from './answer.ts'
import type { AppEnv } from './env.ts'
import { encoded, streamedAnswer } from './streamed-answer.ts'
import { cutOff } from './when-closed.ts'

/** The wire's page: links are relative, `first` is the request as it came, `next` has its parameters sorted. */
export function toPage<Item>(url: string, { limit, offset }: Slice, { items, total }: Listed<Item>, warnings: string[] = []): Page<Item> {
  const { pathname, search, searchParams } = new URL(url)
  const end = offset + limit
  const next = new URLSearchParams(searchParams)
  next.set('offset', String(end))
  next.sort()
  return {
    first: { href: pathname + search },
    ...(end < total && limit > 0 && { next: { href: `${pathname}?${next}` } }),
    limit,
    total_count: total,
    ...(warnings.length > 0 && { warnings }),
    items,
  }
}

/** Answers a page of a list: at once if it was read whole, else as its groups are read, each after its reader has taken the one before. */
export async function answerPage<Item>(
  c: Context<AppEnv>,
  slice: Slice,
  { more, ...listed }: Listed<Item>,
  warnings: string[],
): Promise<Response> {
  const page = toPage(c.req.url, slice, listed, warnings)
  if (!more) return answer(c, 200, page)
  const turn = await c.var.memory.takeTurn(cutOff(c))
  try {
    // What cannot be had is better said now than by breaking off.
    const first = await more.next()
    c.var.memory.keepValues()
    return streamedAnswer(c, pageParts(page, first, more), { headers: jsonHeaders(c) })
  } catch (error) {
    turn.release()
    throw error
  }
}

type Groups<Item> = AsyncGenerator<ItemGroup<Item>>

/** The text of a page, whose last member is `items`. */
async function* pageParts<Item>(page: Page<Item>, first: IteratorResult<ItemGroup<Item>>, more: Groups<Item>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder()
  yield encoder.encode(JSON.stringify(page).slice(0, -2))
  let separator = page.items.length > 0 ? ',' : ' '
  for (let next = first; !next.done; next = await more.next()) {
    const { items, release } = next.value
    try {
      while (items.length > 0) {
        yield encoder.encode(separator)
        // Nothing else may refer to the item: while its text is sent, and the next one is waited for, it shall be gone.
        yield* encoded(JSON.stringify(items.shift()))
        separator = ','
      }
    } finally {
      release()
    }
  }
  yield encoder.encode(']}\n')
}
