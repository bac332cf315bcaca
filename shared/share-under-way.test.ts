import { expect, test } from 'vitest'
import { shareUnderWay } from './share-under-way.ts'

test('calls while work is under way share its outcome, and the next one works anew', async () => {
  const begun: PromiseWithResolvers<number>[] = []
  const ask = shareUnderWay(() => {
    const work = Promise.withResolvers<number>()
    begun.push(work)
    return work.promise
  })
  const together = Promise.allSettled([ask(), ask(), ask()])
  expect(begun).toHaveLength(1)
  begun[0]?.reject(new Error('away'))
  expect((await together).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  const next = ask()
  begun[1]?.resolve(2)
  expect(await next).toBe(2)
})
