import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nextOf, partyToYield } from './fair-share.ts'

const asking = (party: string, ticket: number, amount = 1) => ({ party, ticket, amount, servedAt: party === 'd' ? 7 : 0 })
const held = (amounts: Record<string, number>) => new Map(Object.entries(amounts))

describe('nextOf', () => {
  test.each([
    ['who came first, where nobody holds anything', [asking('a', 2), asking('b', 1)], {}, 'b'],
    ['who holds least, whoever came first', [asking('a', 1), asking('b', 2)], { a: 3, b: 2 }, 'b'],
    ['who holds nothing before who holds something', [asking('a', 1), asking('c', 9)], { a: 1, b: 5 }, 'c'],
    ['who was served longest ago, of those that hold the same', [asking('d', 1), asking('a', 2)], { a: 1, d: 1 }, 'a'],
    ['the only one, however much it holds', [asking('a', 1)], { a: 9 }, 'a'],
    ['nobody, where nobody asks', [], { a: 9 }, undefined],
  ])('is %s', (_, firsts, amounts, party) => {
    expect(nextOf(firsts, held(amounts))?.party).toBe(party)
  })
})

describe('partyToYield', () => {
  test.each([
    ['who has all of it, once another one waits', [asking('b', 1)], { a: 4 }, 4, 'a'],
    ['who has more than half', [asking('b', 1)], { a: 3, b: 1 }, 4, 'a'],
    ['nobody with half', [asking('b', 1)], { a: 2, b: 2 }, 4, undefined],
    ['nobody where it waits for itself alone', [asking('a', 1)], { a: 4 }, 4, undefined],
    ['nobody where nobody waits', [], { a: 4 }, 4, undefined],
    ['nobody for who would then have more than half', [asking('b', 1)], { a: 2, b: 1 }, 3, undefined],
    ['nobody of the only unit', [asking('b', 1)], { a: 1 }, 1, undefined],
    ['who has more than half, for who asks for much but has nothing', [asking('b', 1, 90)], { a: 60 }, 100, 'a'],
  ])('is %s', (_, waiting, amounts, size, party) => {
    expect(partyToYield(waiting, held(amounts), size)).toBe(party)
  })
})

const turns = fc.array(fc.record({ party: fc.constantFrom('a', 'b', 'c', 'd'), asks: fc.boolean() }), { maxLength: 60 })

// Guarantee: by these two alone, nobody keeps more than half while somebody waits who has less, and nothing lies idle while somebody waits.
test('whatever comes and goes, what is held is at most half each while others wait, and all of it is used', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 7 }), turns, (size, steps) => {
      const amounts = new Map<string, number>()
      const waiting: { party: string; ticket: number; amount: number; servedAt: number }[] = []
      const used = () => [...amounts.values()].reduce((sum, amount) => sum + amount, 0)
      const add = (party: string, amount: number) => amounts.set(party, (amounts.get(party) ?? 0) + amount)
      const firsts = () => [...Map.groupBy(waiting, ({ party }) => party).values()].flatMap(([first]) => first ?? [])
      const settle = () => {
        for (;;) {
          const next = used() < size ? nextOf(firsts(), amounts) : undefined
          if (next) {
            waiting.splice(waiting.indexOf(next), 1)
            add(next.party, 1)
            continue
          }
          const party = partyToYield(firsts(), amounts, size)
          if (party === undefined) return
          add(party, -1)
        }
      }
      steps.forEach(({ party, asks }, ticket) => {
        if (asks) waiting.push({ party, ticket, amount: 1, servedAt: 0 })
        else if ((amounts.get(party) ?? 0) > 0) add(party, -1)
        settle()
        if (waiting.length > 0) expect(used()).toBe(size)
        for (const one of waiting.filter((each) => (amounts.get(each.party) ?? 0) === 0)) {
          for (const [other, amount] of amounts) if (other !== one.party) expect(amount).toBeLessThanOrEqual(Math.max(1, size / 2))
        }
      })
    }),
  )
})
