import { expect, test } from 'vitest'
import { createTurns } from './turns.ts'

/** Works without a pause. */
function work(milliseconds: number) {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}

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
  const { inOrder } = createTurns()
  await Promise.all(Array.from({ length: 5 }, () => inOrder(() => work(20))))
  expect(others).toBeGreaterThanOrEqual(4)
  isOver = true
  const { inOrder: short } = createTurns()
  const before = others
  await Promise.all(Array.from({ length: 100 }, () => short(() => undefined)))
  expect(others).toBe(before)
})
