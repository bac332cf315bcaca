import { describe, expect, test, vi } from 'vitest'
import { createFairBudget, type Hold } from './fair-budget.ts'

const refusal = () => new Error('none is free')
const open = (size: number, more: { maxWaiting?: number } = {}) => createFairBudget({ size, graceMs: 10, refusal, ...more })

/** Takes one unit, and notes the name when it is had. */
function taker(budget: ReturnType<typeof open>) {
  const order: string[] = []
  const take = async (name: string, party: string, more: object = {}) => {
    const hold = await budget.take({ party, amount: 1, ...more })
    order.push(name)
    return hold
  }
  return { order, take }
}

describe('a fair budget', () => {
  test('is had at once while it is free, all of it by who is alone', () => {
    const budget = open(3)
    for (let at = 0; at < 3; at++) expect(budget.take({ party: 'a', amount: 1 })).not.toBeInstanceOf(Promise)
    expect(budget.takeNow('a', 1)).toBeUndefined()
  })

  test('serves a party’s own in the order of asking, and of several parties who holds least', async () => {
    const budget = open(2)
    const { order, take } = taker(budget)
    const holds = await Promise.all([take('a1', 'a'), take('a2', 'a')])
    const waiting = [take('a3', 'a'), take('a4', 'a'), take('b1', 'b'), take('b2', 'b'), take('c1', 'c')]
    holds[0]?.release()
    for (const one of waiting) void one.then((hold) => hold.release())
    await Promise.all(waiting)
    expect(order).toEqual(['a1', 'a2', 'b1', 'c1', 'b2', 'a3', 'a4'])
  })

  test('of one unit is had by each party in turn', async () => {
    const { order, take } = taker(open(1))
    const hold = await take('a1', 'a')
    const waiting = [take('a2', 'a'), take('a3', 'a'), take('b1', 'b'), take('b2', 'b')]
    hold.release()
    for (const one of waiting) void one.then((each) => each.release())
    await Promise.all(waiting)
    expect(order).toEqual(['a1', 'b1', 'a2', 'b2', 'a3'])
  })

  test('is refused at once, in time, or as soon as who waits has given up, who then stands before nobody', async () => {
    const budget = open(1)
    const { order, take } = taker(budget)
    const hold = await take('first', 'a')
    expect(() => budget.take({ party: 'a', amount: 1, waitMs: 0 })).toThrow('none is free')
    await expect(take('late', 'a', { waitMs: 5 })).rejects.toThrow('none is free')
    const gone = new AbortController()
    const given = take('gone', 'a', { signal: gone.signal })
    const after = take('after', 'a')
    gone.abort(new Error('gone'))
    await expect(given).rejects.toThrow('gone')
    await expect(take('too late', 'a', { signal: gone.signal })).rejects.toThrow('gone')
    hold.release()
    await after
    expect(order).toEqual(['first', 'after'])
  })

  test('lets no more wait than it is told', () => {
    const budget = open(1, { maxWaiting: 2 })
    budget.take({ party: 'a', amount: 1 })
    for (let at = 0; at < 2; at++) expect(budget.take({ party: 'a', amount: 1 })).toBeInstanceOf(Promise)
    expect(() => budget.take({ party: 'b', amount: 1 })).toThrow('none is free')
  })

  // Guarantee: who was alone and has it all gives back what is more than half when another one waits, the newest first, and not more.
  test('is asked back from who has more than half, and from nobody else', async () => {
    const budget = open(4)
    const asked: number[] = []
    const holds: Hold[] = []
    for (let at = 0; at < 4; at++) {
      const giveBack = () => {
        asked.push(at)
        holds[at]?.release()
        return true
      }
      holds.push(await budget.take({ party: 'a', amount: 1, giveBack }))
    }
    const others = Array.from({ length: 3 }, () => budget.take({ party: 'b', amount: 1, giveBack: () => asked.push(-1) > 0 }))
    await Promise.all(others.slice(0, 2))
    expect(asked).toEqual([3, 2])
    const third = vi.fn()
    void Promise.resolve(others[2]).then(third)
    await new Promise((resolve) => void setTimeout(resolve, 50))
    expect(asked).toEqual([3, 2])
    expect(third).not.toHaveBeenCalled()
  })

  test('is not taken again by who had to give back, as long as others come; then it is', async () => {
    const budget = open(4)
    const asked: number[] = []
    const lend = async (at: number) => {
      const hold = await budget.take({
        party: 'a',
        amount: 1,
        giveBack() {
          asked.push(at)
          hold.release()
          return true
        },
      })
    }
    for (let at = 0; at < 4; at++) await lend(at)
    const others = [await budget.take({ party: 'b', amount: 1 })]
    expect(asked).toEqual([3])
    const more = lend(4)
    for (let at = 0; at < 20; at++) {
      others.pop()?.release()
      // At once: nobody is in its way.
      others.push(await budget.take({ party: 'b', amount: 1, waitMs: 5 }))
    }
    expect(budget.heldBy('a')).toBe(3)
    others.pop()?.release()
    await more
    expect(budget.heldBy('a')).toBe(4)
    expect(asked).toEqual([3])
  })

  // Guarantee: that somebody is held back keeps nobody else from what is free.
  test('that is free is had at once also while who had to give back waits for more than half, who is not overtaken by its own', async () => {
    const budget = open(4)
    const lent = await budget.take({
      party: 'a',
      amount: 2,
      giveBack() {
        lent.release()
        return true
      },
    })
    const kept = await budget.take({ party: 'a', amount: 2 })
    const others = await budget.take({ party: 'b', amount: 2 })
    const waiting = budget.take({ party: 'a', amount: 2 })
    others.release()
    kept.shrink(1)
    expect(budget.takeNow('a', 1)).toBeUndefined()
    const [now, atOnce] = [budget.takeNow('b', 1), budget.take({ party: 'b', amount: 1, waitMs: 0 })]
    expect([now?.amount, (atOnce as Hold).amount]).toEqual([1, 1])
    expect(waiting).toBeInstanceOf(Promise)
  })

  test('is asked back from the next one where the newest cannot', async () => {
    const budget = open(2)
    const first = await budget.take({
      party: 'a',
      amount: 1,
      giveBack: () => {
        first.release()
        return true
      },
    })
    await budget.take({ party: 'a', amount: 1, giveBack: () => false })
    expect(await budget.take({ party: 'b', amount: 1 })).toMatchObject({ amount: 1 })
  })

  test('is given whole to what is more than all of it, also while others wait', async () => {
    const budget = open(10)
    const hold = await budget.take({ party: 'a', amount: 5 })
    const whole = budget.take({ party: 'b', amount: 1000 })
    expect(budget.takeNow('c', 1)).toBeUndefined()
    hold.release()
    expect(await whole).toMatchObject({ amount: 10 })
  })

  // Guarantee: who has given something back can neither take more of it nor give back what is not its own.
  test('that was released does not grow, is not asked for, and is given back once, whatever else is told of it', async () => {
    const budget = open(10)
    const [hold, other] = [await budget.take({ party: 'a', amount: 4 }), await budget.take({ party: 'a', amount: 3 })]
    hold.release()
    hold.shrink(-5)
    hold.release()
    expect(budget.grow(hold, 2)).toBe(false)
    const giveBack = vi.fn<() => boolean>(() => false)
    hold.lend(giveBack)
    expect([budget.used(), budget.heldBy('a')]).toEqual([3, 3])
    other.shrink(-1)
    expect([budget.used(), budget.heldBy('a')]).toEqual([0, 0])
  })
})
