import type { Context } from 'hono'
import type { Listed, Slice } from '#db/queries/filters.ts'
import type { ItemGroup } from '#db/queries/in-groups.ts'
import type { Page } from '#shared/models/page.ts'
import { answer, jsonHeaders } from './answer.ts'
import type { AppEnv } from './env.ts'

/** The wire's page: links are relative, `first` is the request as it came, `next` has its parameters sorted. */
export function toPage<Item>(url: string, { limit, offset }: Slice, { items, total }: Listed<Item>): Page<Item> {
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
    items,
  }
}

/** Answers a page of a list: at once if it was read whole, else as its groups are read, each after its reader has taken the one before. */
export async function answerPage<Item>(c: Context<AppEnv>, slice: Slice, { more, ...listed }: Listed<Item>): Promise<Response> {
  const page = toPage(c.req.url, slice, listed)
  if (!more) return answer(c, 200, page)
  const turn = await c.var.memory.takeTurn()
  try {
    // What cannot be had is better said now than by breaking off.
    const first = await more.next()
    const response = new Response(streamOf(pageParts(page, first, more), turn.release), { headers: jsonHeaders(c) })
    streamed.add(response)
    return response
  } catch (error) {
    turn.release()
    throw error
  }
}

const streamed = new WeakSet<Response>()

/** Whether the body of an answer is still to be read from the database. */
export const isStreamed = (response: Response): boolean => streamed.has(response)

type Groups<Item> = AsyncGenerator<ItemGroup<Item>>

/** The text of a page, whose last member is `items`. */
async function* pageParts<Item>(page: Page<Item>, first: IteratorResult<ItemGroup<Item>>, more: Groups<Item>): AsyncGenerator<Uint8Array> {
  const { items, ...head } = page
  const encoder = new TextEncoder()
  yield encoder.encode(`${JSON.stringify({ ...head, items }).slice(0, -2)}`)
  let separator = items.length > 0 ? ',' : ''
  for (let next = first; !next.done; next = await more.next()) {
    try {
      for (const item of next.value.items) {
        yield* pieces(encoder.encode(separator + JSON.stringify(item)))
        separator = ','
      }
    } finally {
      next.value.release()
    }
  }
  yield encoder.encode(']}\n')
}

/** What a socket is given at a time. */
const PIECE_BYTES = 256 * 1024

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES)
}

/** Nothing is read ahead of its reader. */
function streamOf(parts: AsyncGenerator<Uint8Array>, onEnd: () => void): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await parts.next().catch((error: unknown) => {
          onEnd()
          throw error
        })
        if (!done) return controller.enqueue(value)
        onEnd()
        controller.close()
      },
      async cancel() {
        onEnd()
        await parts.return(undefined)
      },
    },
    { highWaterMark: 0 },
  )
}
