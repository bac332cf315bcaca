import { SMALL_FOOTPRINT, type Reserve } from '../reserve.ts'
import type { Slice } from './filters.ts'

/** Rows of a list that are answered one group after another, so that a long page is never held whole. */

export type Measured = {
  id: string
  footprint: number
  /** How many rows the statement had found before it looked at their footprints. */
  chosen: number
}

/** Where a list goes on, and for how many rows, 1 or more: beyond the id `after`, if any of it was answered before. */
export type Place = Slice & { after: string | undefined }

type Source<Row, Item> = {
  /** The next rows of the list, newest first: as many as are `SMALL_FOOTPRINT` together, or a larger one, without what makes it large. */
  next: (place: Place) => Promise<readonly Row[]>
  toItem: (row: Row) => Item
  /** A larger one; undefined if it is gone. */
  whole: (id: string) => Promise<Item | undefined>
}

/** Some items of a list, which its reader takes out one by one; `release` is to be called when they have been answered. */
export type ItemGroup<Item> = { items: Item[]; release: () => void }

export type Groups<Item> = {
  items: Item[]
  /** The rest of the page, to be read as it is answered; absent if there is none, which is the usual case. */
  more?: AsyncGenerator<ItemGroup<Item>>
}

/** Rows whose footprints are looked at in one statement; after large ones as few as were taken together: what is looked at again and again costs most. */
const CHOSEN_MAX = 1000

/** A page of a list, its first group at once. What is deleted meanwhile is left out, and the page goes on to its length. */
export async function inGroups<Row extends Measured, Item>(
  source: Source<Row, Item>,
  { limit, offset }: Slice,
  reserve: Reserve,
): Promise<Groups<Item>> {
  const first = await readGroup(source, { left: limit === 0 ? Infinity : limit, after: undefined, offset, chosenMax: CHOSEN_MAX })
  return { items: first.items, ...(first.next && { more: restOf(source, first.next, reserve) }) }
}

type Next = Omit<Place, 'limit'> & { left: number; chosenMax: number; large?: Measured }

async function* restOf<Row extends Measured, Item>(
  source: Source<Row, Item>,
  first: Next,
  reserve: Reserve,
): AsyncGenerator<ItemGroup<Item>> {
  for (let next: Next | undefined = first; next !== undefined;) {
    const { large, left }: Next = next
    const held = await reserve(large?.footprint ?? SMALL_FOOTPRINT)
    try {
      if (large) {
        const items: Item[] = await wholeOf(source, large.id)
        const after: Next = { left: left - items.length, after: large.id, offset: 0, chosenMax: 1 }
        next = after.left > 0 ? after : undefined
        yield { items, release: held.release }
      } else {
        const group: { items: Item[]; next: Next | undefined } = await readGroup(source, next)
        next = group.next
        if (group.items.length > 0) yield { items: group.items, release: held.release }
      }
    } finally {
      // Also where nothing could be read, or nobody asks for more.
      held.release()
    }
  }
}

/** In a list, which its reader empties: a generator that waits keeps what it has named. */
async function wholeOf<Row, Item>(source: Source<Row, Item>, id: string): Promise<Item[]> {
  const item = await source.whole(id)
  return item === undefined ? [] : [item]
}

async function readGroup<Row extends Measured, Item>(source: Source<Row, Item>, { left, after, offset, chosenMax }: Next) {
  const limit = Math.min(left, chosenMax)
  const rows = await source.next({ after, limit, offset })
  const [first] = rows
  const last = rows.at(-1)
  if (!first || !last) return { items: [], next: undefined }
  if (first.footprint > SMALL_FOOTPRINT) return { items: [], next: { left, after, offset: 0, chosenMax: 1, large: first } }
  const isEnd = rows.length === left || (rows.length === first.chosen && first.chosen < limit)
  const next = isEnd ? undefined : { left: left - rows.length, after: last.id, offset: 0, chosenMax: Math.min(2 * rows.length, CHOSEN_MAX) }
  return { items: rows.map(source.toItem), next }
}
