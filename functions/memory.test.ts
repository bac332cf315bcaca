import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Held } from '#db/reserve.ts'
import { createMemory, type RequestMemory } from './memory.ts'

const MIB = 1024 * 1024

/** 128 MiB: 72 for large values, 24 for small ones, 24 and 8 for bodies; four bytes for each of a footprint. */
const open = (waitMs = 10_000) => createMemory({ bytes: 128 * MIB, waitMs }).open

const NONE = { small_bodies: 0, large_bodies: 0, small_values: 0, large_values: 0, long_lists: 0, logs: 0 }

/** Who gives nothing back. */
const keeps = () => false

const isFree = (hold: unknown) => !(hold instanceof Promise)

describe('the memory of requests', () => {
  test('is given at once while it is free; then one waits for the one before, in the order of asking', async () => {
    const memory = open()
    const [first, second, third] = [memory('a'), memory('a'), memory('a')]
    expect(isFree(first.reserve(10 * MIB))).toBe(true)
    const order: string[] = []
    const waiting = [second.reserve(10 * MIB), third.reserve(1 * MIB)] as const
    for (const [at, name] of ['second', 'third'].entries()) void Promise.resolve(waiting[at]).then(() => order.push(name))
    await Promise.resolve()
    expect(order).toEqual([])
    first.release()
    await Promise.all(waiting)
    expect(order).toEqual(['second', 'third'])
  })

  test('is refused with 503 to who has waited long enough, who then no longer stands before others', async () => {
    const memory = open(20)
    memory('a').reserve(10 * MIB)
    const [large, later] = [memory('a').reserve(17 * MIB), memory('a').reserve(7 * MIB)]
    await expect(large).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('taken up by other requests') })
    expect(await later).toMatchObject({ amount: 28 * MIB })
  })

  test('is refused at once where nobody may wait', () => {
    const memory = open(0)
    memory('a').reserve(10 * MIB)
    expect(() => memory('a').reserve(10 * MIB)).toThrow('taken up')
  })

  test('of large requests is not that of small ones, nor that of bodies', () => {
    const memory = open()
    memory('a').reserve(18 * MIB)
    memory('a').reserveBody(24 * MIB, keeps)
    expect(isFree(memory('a').reserve(1000))).toBe(true)
    expect(isFree(memory('a').reserveBody(1000, keeps))).toBe(true)
    expect(isFree(memory('a').reserve(1 * MIB))).toBe(false)
    expect(isFree(memory('a').reserveBody(2 * MIB, keeps))).toBe(false)
    expect(() => memory('a').openBody(keeps).grow(1)).toThrow('taken up')
  })

  test('of a body grows with it, and beyond all that there is if nobody else has any', () => {
    const memory = open()
    const [first, second] = [memory('a').openBody(keeps), memory('a').openBody(keeps)]
    first.grow(20 * MIB)
    first.grow(20 * MIB)
    expect(() => second.grow(1)).toThrow('taken up')
    first.release()
    second.grow(30 * MIB)
  })

  test('is given whole to what is more than all of it: nothing is refused for ever', () => {
    const memory = open()
    expect(memory('a').reserve(1000 * MIB)).toMatchObject({ amount: 72 * MIB })
    expect(isFree(memory('a').reserve(2 * MIB))).toBe(false)
  })

  test('is kept for an answer until it is sent, also when the request has ended, and given back once', async () => {
    const memory = open()
    const request = memory('a')
    request.reserve(18 * MIB)
    const answer = request.keepForAnswer(40 * MIB, false)
    request.release()
    expect(isFree(memory('a').reserve(8 * MIB))).toBe(true)
    const waiting = memory('a').reserve(8 * MIB)
    expect(isFree(waiting)).toBe(false)
    answer.release()
    answer.release()
    await waiting
    expect(isFree(memory('a').reserve(4 * MIB))).toBe(false)
  })

  test('for the answer to a change is given whether it is free or not, to another only if it is', () => {
    const memory = open()
    memory('a').reserve(18 * MIB)
    expect(() => memory('a').keepForAnswer(2 * MIB, false)).toThrow('taken up')
    expect(memory('a').keepForAnswer(2 * MIB, true)).toMatchObject({ amount: 2 * MIB })
  })

  // Guarantee: who does not read the answers to its changes keeps nobody else out.
  test('for the answer to a change is asked back as for any other', async () => {
    const memory = open()
    const answer = memory('loud').keepForAnswer(72 * MIB, true, () => {
      answer.release()
      return true
    })
    expect(await memory('quiet').reserve(10 * MIB)).toMatchObject({ party: 'quiet' })
  })

  test('has a place for 4 answers under way piece by piece, and for 48 readers of logs', () => {
    const memory = open()
    const free = (take: () => unknown) => Array.from({ length: 60 }, take).filter(isFree).length
    expect(free(() => memory('a').takeTurn())).toBe(4)
    expect(free(() => memory('a').takeReader())).toBe(48)
  })

  // Guarantee: no request waits for its own memory, and no two that hold some wait for each other.
  test('of a request that holds some for large values grows at once, or it is refused at once', () => {
    const memory = open()
    const [first, second] = [memory('a'), memory('a')]
    first.reserve(8 * MIB)
    second.reserve(8 * MIB)
    expect(() => second.reserve(8 * MIB)).toThrow('taken up')
    second.release()
    expect(isFree(first.reserve(30 * MIB))).toBe(true)
    expect(isFree(memory('a').reserve(1 * MIB))).toBe(false)
  })

  test('that was reserved for later is there then, and only once', () => {
    const memory = open()
    const [first, second] = [memory('a'), memory('a')]
    first.reserve(6 * MIB, { later: 6 * MIB })
    expect(isFree(second.reserve(6 * MIB))).toBe(true)
    expect(isFree(first.reserve(6 * MIB))).toBe(true)
    expect(() => first.reserve(1 * MIB)).toThrow('taken up')
  })

  test('is waited for by nobody who asks for it at once', () => {
    const memory = open()
    memory('a').reserve(18 * MIB)
    expect(() => memory('a').reserve(2 * MIB, { atOnce: true })).toThrow('taken up')
    expect(isFree(memory('a').reserve(1000, { atOnce: true }))).toBe(true)
  })

  // Guarantee: what one tenant holds and can give back keeps nobody else out.
  test('is asked back from who has more than half when another one has waited for a second', async () => {
    const memory = open()
    const asked: string[] = []
    const take = (name: string, take: (back: () => boolean) => unknown) => {
      const hold = take(() => {
        asked.push(name)
        release.get(name)?.()
        return true
      }) as { release: () => void }
      release.set(name, hold.release)
    }
    const release = new Map<string, () => void>()
    for (let at = 0; at < 48; at++) take(`reader ${at}`, (back) => memory('loud').takeReader(back))
    for (let at = 0; at < 4; at++) take(`turn ${at}`, (back) => memory('loud').takeTurn(back))
    for (let at = 0; at < 8; at++) take(`body ${at}`, (back) => memory('loud').reserveBody(1 * MIB, back))
    take('answer', (back) => memory('loud').keepForAnswer(72 * MIB, false, back))
    const quiet = memory('quiet')
    await Promise.all([quiet.takeReader(), quiet.takeTurn(), quiet.reserveBody(1 * MIB, keeps), quiet.reserve(10 * MIB)])
    expect(asked.toSorted()).toEqual(['answer', 'body 7', 'reader 47', 'turn 3'])
  })

  test('that is granted when the request and its answer are over is given back at once, and refused', async () => {
    const { open, held } = createMemory({ bytes: 128 * MIB, waitMs: 10_000 })
    const first = open('a')
    void first.reserve(18 * MIB)
    const late = open('a')
    const waiting = Promise.resolve(late.reserve(18 * MIB))
    late.release()
    late.end()
    first.release()
    await expect(waiting).rejects.toMatchObject({ code: 'unavailable' })
    expect(held()).toEqual(NONE)
  })

  test('is waited for by nobody whose caller has left', async () => {
    const { open, held } = createMemory({ bytes: 128 * MIB, waitMs: 10_000 })
    const keeper = open('a')
    void keeper.reserve(18 * MIB)
    for (let at = 0; at < 4; at++) void keeper.takeTurn()
    for (let at = 0; at < 48; at++) void keeper.takeReader()
    void keeper.reserveBody(24 * MIB, keeps)
    const over = new AbortController()
    const gone = open('a', over.signal)
    const waiting = [gone.reserve(2 * MIB), gone.takeTurn(), gone.takeReader(), gone.reserveBody(2 * MIB, keeps)]
    over.abort(new Error('left'))
    for (const one of waiting) await expect(one).rejects.toThrow('left')
    keeper.release()
    keeper.end()
    expect(held()).toEqual(NONE)
  })

  test('of the values that an answer is made of is kept until it is sent, and that of others is not', () => {
    const { open, held } = createMemory({ bytes: 128 * MIB, waitMs: 0 })
    const request = open('a')
    void request.reserve(2 * MIB)
    request.keepValues()
    void request.reserve(1000)
    request.release()
    expect(held()).toEqual({ ...NONE, large_values: 8 * MIB })
    request.end()
    expect(held()).toEqual(NONE)
  })

  // Guarantee: whatever requests take, in whichever order they are over, nothing is held in the end.
  test('is all there when all requests and answers are over, whatever they have done', async () => {
    const footprint = fc.constantFrom(1000, 2 * MIB, 9 * MIB, 18 * MIB)
    const step = fc.oneof(
      fc.record({ do: fc.constant('reserve'), footprint, later: fc.constantFrom(0, MIB), atOnce: fc.boolean() }),
      fc.record({ do: fc.constantFrom('body', 'chunks', 'answer'), footprint }),
      fc.record({ do: fc.constantFrom('turn', 'reader', 'keep', 'give back', 'release', 'abort') }),
    )
    const steps = fc.array(fc.record({ at: fc.nat(3), step }), { maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const { open, held } = createMemory({ bytes: 128 * MIB, waitMs: 2 })
        const requests = Array.from({ length: 4 }, (_, at) => {
          const over = new AbortController()
          return { over, memory: open(`party ${at % 2}`, over.signal), taken: [] as (Held | Promise<Held>)[] }
        })
        for (const { at, step } of all) carryOut(requests[at]!, step)
        for (const { memory } of requests) {
          memory.release()
          memory.end()
        }
        const taken = await Promise.allSettled(requests.flatMap((request) => request.taken))
        expect(held()).toEqual(NONE)
        for (const one of taken) if (one.status === 'fulfilled') one.value.release()
        expect(held()).toEqual(NONE)
      }),
      { numRuns: 200 },
    )
  })
})

type Taker = { over: AbortController; memory: RequestMemory; taken: (Held | Promise<Held>)[] }
type Step = { do: string; footprint?: number; later?: number; atOnce?: boolean }

/** Refusals are as good as what is had. */
function carryOut({ over, memory, taken }: Taker, { do: what, footprint = 0, ...how }: Step): void {
  try {
    if (what === 'reserve') taken.push(memory.reserve(footprint, how))
    if (what === 'body') taken.push(memory.reserveBody(footprint, keeps))
    if (what === 'answer') taken.push(memory.keepForAnswer(footprint, footprint < MIB))
    if (what === 'turn') taken.push(memory.takeTurn())
    if (what === 'reader') taken.push(memory.takeReader())
    if (what === 'keep') memory.keepValues()
    if (what === 'release') memory.release()
    if (what === 'abort') over.abort(new Error('left'))
    if (what === 'give back') for (const one of taken) if (!(one instanceof Promise)) one.release()
    if (what === 'chunks') {
      const body = memory.openBody(keeps)
      taken.push(body)
      body.grow(footprint)
    }
  } catch (error) {
    expect(String(error)).toMatch(/taken up|left/)
  }
  for (const one of taken) if (one instanceof Promise) one.catch(() => undefined)
}
