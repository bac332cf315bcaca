import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { uuidV7Source } from './uuid-v7.ts'

describe('uuidV7Source', () => {
  test('writes time, version and variant where RFC 9562 has them', () => {
    const next = uuidV7Source({ now: () => 0x017f22e279b0, random: (bytes) => void bytes.fill(0xff) })
    expect(next()).toBe('017f22e2-79b0-7000-bfff-ffffffffffff')
    expect(next()).toBe('017f22e2-79b0-7001-bfff-ffffffffffff')
  })

  test('rises strictly, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 2 }), (clock) => {
        let turn = 0
        const next = uuidV7Source({ now: () => clock[turn++] ?? 0, random: (bytes) => void bytes.fill(turn) })
        const ids = clock.map(next)
        expect(ids).toEqual([...new Set(ids)].toSorted())
      }),
    )
  })

  test('goes on into the next millisecond when one is used up', () => {
    const next = uuidV7Source({ now: () => 5, random: () => undefined })
    const ids = Array.from({ length: 5000 }, next)
    expect(new Set(ids).size).toBe(5000)
    expect(ids).toEqual(ids.toSorted())
  })
})
