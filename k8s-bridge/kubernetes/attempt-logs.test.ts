import { setImmediate as turn } from 'node:timers/promises'
import { expect, vi } from 'vitest'
import { test } from '#db/test-db.ts'
import type { KubernetesApi } from './api.ts'
import { createAttemptLogs } from './attempt-logs.ts'
import type { ObservedJob } from './observe.ts'

const shownOf = (_: unknown, at: number) =>
  ({
    job: { evaluationId: `evaluation-${at}`, benchmarkIndex: 0, attempt: 1, isSealed: false },
    pods: [
      {
        uid: `pod-${at}`,
        version: '1',
        createdAtMs: 0,
        namespace: 'n',
        name: 'p',
        secretNames: ['s'],
        containers: [{ name: 'adapter', runningSinceMs: 1 }],
      },
    ],
    gone: [],
    events: [],
  }) as unknown as ObservedJob

// Guarantee: a bridge that starts beside thousands of pods does not ask for all of their Secrets together, nor holds what they answer.
test('reads the Secrets of few attempts at once, and of all in the end', async ({ db }) => {
  let [underWay, most] = [0, 0]
  const readNamespacedSecret = async () => {
    most = Math.max(most, ++underWay)
    await turn()
    underWay--
    return { data: {} }
  }
  const tracked = new Set<string>()
  const logs = createAttemptLogs({
    db,
    api: { core: { readNamespacedSecret } } as unknown as KubernetesApi,
    shipper: {
      track: ({ key }) => void tracked.add(key.evaluationId),
      addEvents: async () => {},
      finish: async () => {},
      close: async () => {},
    },
    onError: (error) => expect(error).toBeUndefined(),
  })
  const shown = Array.from({ length: 1000 }, shownOf)
  logs.follow(shown)
  logs.follow(shown)
  await vi.waitFor(() => expect(tracked.size).toBe(1000))
  expect(most).toBe(16)
})
