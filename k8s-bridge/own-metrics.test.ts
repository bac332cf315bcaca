import { Registry } from 'prom-client'
import { expect, vi } from 'vitest'
import { openObserverLock } from '#db/observer-lock.ts'
import { specFor, submitSpecs } from '#db/test-evaluation.ts'
import { test } from '#db/test-db.ts'
import { startBridge } from './bridge.ts'
import { createOwnMetrics } from './own-metrics.ts'
import { idleRuntime } from './test-runtime.ts'

test('a bridge counts what became of its launches, and shows whether it observes', async ({ db, databaseUrl, tenant }) => {
  await submitSpecs(db, [specFor('true'), specFor('true', { benchmark_id: 'full' }), specFor('true', { benchmark_id: 'bad' })], { tenant })
  const registry = new Registry()
  const observerLock = openObserverLock(databaseUrl)
  const runtime = idleRuntime({
    launch: async ({ spec }) => {
      if (spec.benchmark_id === 'full') return { obstacle: { failureClass: 'quota', message: 'Full.', limitSeconds: 60 } }
      if (spec.benchmark_id === 'bad') return { refused: { failureClass: 'rejected', message: 'Bad.' } }
      return { objectUid: 'uid' }
    },
  })
  const bridge = await startBridge({ db, runtime, holder: 'one', observerLock, onError: () => {}, ...createOwnMetrics(registry) })
  await vi.waitFor(async () => {
    const lines = (await registry.metrics()).split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        'evalhub_launches_total{outcome="launched"} 1',
        'evalhub_launches_total{outcome="deferred"} 1',
        'evalhub_launches_total{outcome="refused"} 1',
        'evalhub_launches_total{outcome="lost"} 0',
        'evalhub_bridge_observing 1',
      ]),
    )
  })
  await bridge.stop()
  await observerLock.release()
})
