import { expect, test } from 'vitest'
import { createTurns } from './turns.ts'

test('works on one thing after the other, in the order of asking, and goes on after one that fails', async () => {
  const { inOrder } = createTurns()
  const done: string[] = []
  const results = await Promise.allSettled([
    inOrder(async () => {
      await Promise.resolve()
      done.push('a')
      return 1
    }),
    inOrder(() => {
      throw new Error('b')
    }),
    inOrder(() => void done.push('c')),
  ])
  expect(done).toEqual(['a', 'c'])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
})

// Guarantee: of what one request asked for at once, nobody else waits for all.
test('lets others have a turn between two things that are long, and not between short ones', async () => {
  let others = 0
  let isOver = false
  const count = () => {
    others += 1
    if (!isOver) setImmediate(count)
  }
  setImmediate(count)
  let nowMs = 0
  const { inOrder } = createTurns(() => nowMs)
  const workFor = (ms: number) => inOrder(() => void (nowMs += ms))

  await Promise.all(Array.from({ length: 8 }, () => workFor(0.9)))
  expect(others).toBe(0)
  await Promise.all(Array.from({ length: 5 }, () => workFor(20)))
  expect(others).toBeGreaterThanOrEqual(4)
  isOver = true
})
