import { describe, expect, test, vi } from 'vitest'
import { startLoop } from './loop.ts'

/** A pass that the test lets go on; counts passes under way, and how many there were at once at most. */
function setup(intervalMs = 60_000) {
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = []
  const seen = { begun: 0, atOnce: 0, atOnceMax: 0, errors: [] as unknown[] }
  const pass = async () => {
    seen.begun++
    seen.atOnceMax = Math.max(seen.atOnceMax, ++seen.atOnce)
    try {
      await new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }))
    } finally {
      seen.atOnce--
    }
  }
  const loop = startLoop(pass, { intervalMs, onError: (error) => seen.errors.push(error) })
  return { loop, seen, next: () => waiting.shift() }
}

describe('startLoop', () => {
  test('makes the first pass at once, and others when the interval is over', async () => {
    const { loop, seen, next } = setup(5)
    expect(seen.begun).toBe(1)

    next()?.resolve()
    await vi.waitFor(() => expect(seen.begun).toBe(2))

    next()?.resolve()
    await loop.stop()
  })

  test('makes one more pass for all signals that come during one, and never two at once', async () => {
    const { loop, seen, next } = setup()
    for (let at = 0; at < 10; at++) loop.wake()

    next()?.resolve()
    await vi.waitFor(() => expect(seen.begun).toBe(2))
    next()?.resolve()
    await vi.waitFor(() => expect(seen.atOnce).toBe(0))

    expect(seen).toMatchObject({ begun: 2, atOnceMax: 1 })
    await loop.stop()
  })

  test('goes on after a pass that fails, and tells the error', async () => {
    const { loop, seen, next } = setup(5)

    next()?.reject(new Error('down'))

    await vi.waitFor(() => expect(seen.begun).toBe(2))
    expect(seen.errors).toEqual([new Error('down')])
    next()?.resolve()
    await loop.stop()
  })

  test('stops when the pass under way is over, and makes no other, whatever is signalled', async () => {
    const { loop, seen, next } = setup(1)
    loop.wake()
    const stopped = loop.stop()
    loop.wake()

    next()?.resolve()
    await stopped
    loop.wake()

    expect(seen).toMatchObject({ begun: 1, atOnce: 0 })
  })
})
