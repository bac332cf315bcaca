import type { Page } from './models.ts'

/**
 * A list that can be awaited for its first page, or iterated for every item of all pages from there on.
 *
 * Pages are offsets into a list that others change meanwhile: an item never comes twice, but one that moves across a
 * page boundary because others were deleted can be missed.
 */
export type Listing<Item> = Promise<Page<Item>> & AsyncIterable<Item>

type Identified = { resource: { id: string } }

async function* itemsOf<Item extends Identified>(
  first: Promise<Page<Item>>,
  offset: number,
  load: (offset: number) => Promise<Page<Item>>,
) {
  const seen = new Set<string>()
  let page = await first
  for (let next = offset; ; page = await load(next)) {
    for (const item of page.items) {
      if (!seen.has(item.resource.id)) yield item
      seen.add(item.resource.id)
    }
    next += page.items.length
    // With `limit` 0 a hub answers no items and a next page for ever.
    if (!page.next || page.items.length === 0) return
  }
}

/** The list whose pages `load` answers, from `offset` on. The first page is asked for at once. */
export function listing<Item extends Identified>(load: (offset: number) => Promise<Page<Item>>, offset = 0): Listing<Item> {
  const first = load(offset)
  return Object.assign(first, { [Symbol.asyncIterator]: () => itemsOf(first, offset, load) })
}
