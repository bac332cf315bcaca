import { describe, expect, test } from 'vitest'
import { createObjectCache } from './object-cache.ts'

type Item = { uid: string; mark?: string }
const uids = (items: Iterable<Item>) => [...items].map(({ uid }) => uid)
const mapOf = (...items: Item[]) => new Map(items.map((item) => [item.uid, item]))

describe('createObjectCache', () => {
  test('takes what a new list lacks for gone, as it was last seen', () => {
    const cache = createObjectCache<Item>({ keptMax: 10, goneMs: 60_000 })
    cache.replace(mapOf({ uid: 'a', mark: '1' }, { uid: 'b' }))
    cache.put({ uid: 'a', mark: '2' })
    cache.replace(mapOf({ uid: 'b' }, { uid: 'c' }))
    expect(uids(cache.items())).toEqual(['b', 'c'])
    expect([...cache.gone()]).toEqual([{ uid: 'a', mark: '2' }])
  })

  test('remembers the very last state if it is told with the deletion', () => {
    const cache = createObjectCache<Item>({ keptMax: 10, goneMs: 60_000 })
    cache.put({ uid: 'a', mark: 'before' })
    cache.remove('a', { uid: 'a', mark: 'last' })
    expect([...cache.gone()]).toEqual([{ uid: 'a', mark: 'last' }])
    expect(cache.find('a')).toBeUndefined()
  })

  test('remembers nothing unless it shall, nothing it never knew, and nothing that is back', () => {
    const forgetful = createObjectCache<Item>({ keptMax: 10, goneMs: 0 })
    forgetful.put({ uid: 'a' })
    forgetful.remove('a')
    expect(uids(forgetful.gone())).toEqual([])

    const cache = createObjectCache<Item>({ keptMax: 10, goneMs: 60_000 })
    cache.remove('never')
    cache.put({ uid: 'b' })
    cache.remove('b')
    cache.put({ uid: 'b' })
    expect(uids(cache.gone())).toEqual([])
    expect(uids(cache.items())).toEqual(['b'])
  })

  test('keeps no more than its bound: what was changed last', () => {
    const cache = createObjectCache<Item>({ keptMax: 2, goneMs: 0 })
    for (const uid of ['a', 'b', 'a', 'c']) cache.put({ uid })
    expect(uids(cache.items())).toEqual(['a', 'c'])
  })
})
