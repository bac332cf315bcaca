import { expect, test, vi } from 'vitest'
import { SMALL_FOOTPRINT, UNBOUNDED } from '../reserve.ts'
import { inGroups, type Place } from './in-groups.ts'

/** A list of rows with these footprints, which counts how many of them were looked at. */
function listOf(footprints: readonly number[]) {
  let looks = 0
  const rows = footprints.map((footprint, at) => ({ id: String(at), footprint }))
  const next = ({ after, limit, offset }: Place) => {
    const chosen = rows.slice(after === undefined ? offset : Number(after) + 1).slice(0, limit)
    looks += chosen.length
    let sum = 0
    const fitting = chosen.filter(({ footprint }, at) => (sum += footprint) <= SMALL_FOOTPRINT || at === 0)
    return Promise.resolve(fitting.map((row) => ({ ...row, chosen: chosen.length })))
  }
  return { looks: () => looks, source: { next, toItem: ({ id }: { id: string }) => id, whole: (id: string) => Promise.resolve(id) } }
}

// Guarantee: the work for a page grows with the page, and not with its square: a tenant's large things cost others no connections.
test.each([
  ['large', 200, () => 4_000_000],
  ['small', 3000, () => 1000],
  ['medium', 500, () => 700_000],
  ['mixed', 500, (at: number) => (at % 3 === 0 ? 4_000_000 : 1000)],
])('a page of %s rows looks at each of them a few times at most', async (_, count, footprintOf) => {
  const { looks, source } = listOf(Array.from({ length: count }, (_each, at) => footprintOf(at)))
  const { items, more } = await inGroups(source, { limit: 0, offset: 0 }, UNBOUNDED)
  for await (const group of more ?? []) items.push(...group.items)
  expect(items).toEqual(Array.from({ length: count }, (_each, at) => String(at)))
  expect(looks()).toBeLessThanOrEqual(5 * count)
})

// Guarantee: what was reserved for rows that could not be read, or that nobody asked for any more, is held by nobody.
test.each([
  ['a large row that cannot be read', [4_000_000], true],
  ['small rows that cannot be read', Array.from({ length: 3000 }, () => 1000), true],
  ['a large row that its reader leaves', [4_000_000, 4_000_000], false],
])('the memory for %s is given back', async (_, footprints, isBroken) => {
  const { source } = listOf(footprints)
  const release = vi.fn<() => void>()
  const { more } = await inGroups(source, { limit: 0, offset: 0 }, () => ({ release }))
  const broken = () => Promise.reject(new Error('left'))
  if (isBroken) Object.assign(source, { next: broken, whole: broken })
  const group = more!.next()
  if (isBroken) await expect(group).rejects.toThrow('left')
  else await group.then(() => more!.return(undefined))
  expect(release).toHaveBeenCalled()
})
