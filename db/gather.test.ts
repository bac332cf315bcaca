import fc from 'fast-check'
import { setImmediate as endOfTurn } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { gather } from './gather.ts'

describe('gather', () => {
  test('rows that come together go together, those that come meanwhile go next, and each gets its own answer', async () => {
    const batches: number[][] = []
    const write = gather<number, string>(
      async (rows) => {
        batches.push([...rows])
        await endOfTurn()
        return rows.map(String)
      },
      { maxRows: 3 },
    )
    const first = [1, 2].map(write)
    await vi.waitFor(() => expect(batches).toHaveLength(1))
    const next = [3, 4, 5, 6].map(write)
    expect(await Promise.all([...first, ...next])).toEqual(['1', '2', '3', '4', '5', '6'])
    expect(batches).toEqual([[1, 2], [3, 4, 5], [6]])
  })

  // Guarantee: a statement that waits for somebody's lock holds up only those that are about the same.
  test('beside a statement that is slow the others go on, and what is about the same waits for it', async () => {
    const { promise: lock, resolve: unlock } = Promise.withResolvers<void>()
    const written: number[] = []
    const write = gather<number, number>(
      async (rows) => {
        if (rows.includes(1)) await lock
        written.push(...rows)
        return [...rows]
      },
      { keyOf: (row) => String(row % 10) },
    )
    const stuck = [write(1)]
    await endOfTurn()
    stuck.push(write(11))
    expect(await Promise.all([2, 3].map(write))).toEqual([2, 3])
    expect(await write(4)).toBe(4)
    expect(written).not.toContain(11)
    unlock()
    expect(await Promise.all(stuck)).toEqual([1, 11])
    expect(written.filter((row) => row % 10 === 1)).toEqual([1, 11])
  })

  test('rows that are much together go apart, and one alone whatever it is', async () => {
    const batches: number[][] = []
    const write = gather<number, number>(
      async (rows) => {
        batches.push([...rows])
        return rows
      },
      { footprint: { of: (row) => row, max: 10 } },
    )
    await Promise.all([1, 1, 4, 6, 1, 20, 5, 5].map(write))
    expect(batches).toEqual([[1, 1, 4], [6, 1], [20], [5, 5]])
  })

  test('a bad row hurts only itself', async () => {
    const write = gather<number, number>(async (rows) => {
      if (rows.includes(3)) throw new Error('three')
      return [...rows]
    })
    const settled = await Promise.allSettled([1, 2, 3, 4].map(write))
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
    expect(await write(5)).toBe(5)
  })

  test('a database that is away is not asked again', async () => {
    const batches: number[] = []
    const write = gather<number, number>(async (rows) => {
      batches.push(rows.length)
      throw Object.assign(new Error('lost'), { code: 'CONNECTION_CLOSED' })
    })
    const settled = await Promise.allSettled([1, 2, 3, 4, 5].map(write))
    expect(settled.every(({ status }) => status === 'rejected')).toBe(true)
    expect(batches).toEqual([5])
  })

  test('a row without an answer is an error, not undefined', async () => {
    const write = gather<number, number>(async () => [])
    await expect(write(1)).rejects.toThrow('1 rows were written and 0 answers came back')
  })

  // Guarantee: of one run the event that came last is the one that stays.
  test('writes and answers each row once, and those about one thing in their order, whatever fails and however they come', async () => {
    const turns = fc.array(fc.array(fc.record({ isBad: fc.boolean(), about: fc.nat(3), ticks: fc.nat(4) }), { maxLength: 8 }), {
      maxLength: 6,
    })
    await fc.assert(
      fc.asyncProperty(turns, fc.integer({ min: 1, max: 4 }), fc.constantFrom(-1, 1000), async (waves, maxRows, slowMs) => {
        const written: { id: number; about: number }[] = []
        const write = gather<{ id: number; isBad: boolean; about: number; ticks: number }, number>(
          async (rows) => {
            expect(rows.length).toBeLessThanOrEqual(maxRows)
            // Of two statements under way either may be the first to be carried out.
            for (let tick = 0; tick < (rows[0]?.ticks ?? 0); tick++) await endOfTurn()
            if (rows.some(({ isBad }) => isBad)) throw new Error(`with ${rows.map(({ id }) => id).join()}`)
            written.push(...rows)
            return rows.map(({ id }) => id)
          },
          { maxRows, slowMs, footprint: { of: ({ about }) => about, max: 5 }, keyOf: ({ about }) => String(about) },
        )
        const answers: Promise<number | string>[] = []
        const expected: (number | string)[] = []
        for (const wave of waves) {
          for (const row of wave) {
            const id = expected.length
            expected.push(row.isBad ? `with ${id}` : id)
            answers.push(write({ id, ...row }).catch((error: Error) => error.message))
          }
          await endOfTurn()
        }
        expect(await Promise.all(answers)).toEqual(expected)
        const inOrder = written.toSorted((a, b) => a.id - b.id)
        expect(inOrder.map(({ id }) => id)).toEqual(expected.filter((answer) => typeof answer === 'number'))
        for (const thing of [0, 1, 2, 3]) {
          const about = (rows: typeof written) => rows.filter((row) => row.about === thing)
          expect(about(written)).toEqual(about(inOrder))
        }
      }),
    )
  })
})
