import { describe, expect, test } from 'vitest'
import { createMemory } from './memory.ts'

const MIB = 1024 * 1024

/** 128 MiB: 72 for large values, 24 for small ones, 24 and 8 for bodies; four bytes for each of a footprint. */
const open = (waitMs = 10_000) => createMemory({ bytes: 128 * MIB, waitMs })

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
})
