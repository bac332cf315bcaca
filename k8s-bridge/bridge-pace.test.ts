import { randomUUID } from 'node:crypto'
import { expect, vi } from 'vitest'
import { test } from '#db/test-db.ts'
import { startBridge } from './bridge.ts'
import type { LaunchedObject } from './runtime.ts'
import { idleRuntime } from './test-runtime.ts'

const objects = (count: number): LaunchedObject[] =>
  Array.from({ length: count }, () => ({
    evaluationId: randomUUID(),
    benchmarkIndex: 0,
    attempt: 1,
    objectUid: randomUUID(),
    launchedAtMs: 0,
    isSealed: true,
  }))

// A pass costs as much as there are objects, and what changes most is a large cluster.
test('many objects that change all the time cost a few passes a second, and end no later for it', async ({ db }) => {
  const shown = objects(1001)
  let passes = 0
  let change = () => {}
  const runtime = idleRuntime({
    watch: (onChange) => void (change = onChange),
    observe: () => {
      passes += 1
      return shown
    },
  })
  const bridge = await startBridge({ db, runtime, holder: 'one', onError: () => {} })
  await vi.waitFor(() => expect(passes).toBe(1))
  const startedAtMs = performance.now()
  await vi.waitFor(
    () => {
      change()
      expect(performance.now() - startedAtMs).toBeGreaterThan(1000)
    },
    { timeout: 5000, interval: 1 },
  )
  expect(passes).toBeLessThanOrEqual(1 + Math.ceil((performance.now() - startedAtMs) / 250))
  const stoppedAtMs = performance.now()
  await bridge.stop()
  expect(performance.now() - stoppedAtMs).toBeLessThan(200)
})
