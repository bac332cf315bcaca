import { describe, expect, test } from 'vitest'
import { CollectionConfig } from '#shared/models/collection.ts'
import type { EvaluationJob } from '#shared/models/evaluation.ts'
import { requestBudget, submit } from './submit.ts'

const MIB = 1024 * 1024

/** What stores a job of `benchmarks` of one provider, and notes with how many runs each was stored. */
function storeOf({ benchmarks, command }: { benchmarks: number; command: string }) {
  const stored: number[] = []
  const config = CollectionConfig.parse({
    name: 'c',
    category: 'c',
    benchmarks: Array.from({ length: benchmarks }, (_, at) => ({ provider_id: 'p', id: `b${at}` })),
  })
  const provider = { provider_known: true, from_catalogue: false, runtime: { local: { command } }, deadline_seconds: null, definition: {} }
  const found = config.benchmarks.map(({ provider_id, id }) => ({ provider_id, benchmark_id: id, ...provider }))
  const store: Parameters<typeof submit>[0] = {
    requireRoom: () => undefined,
    resolve: async () => ({ collection: { config, updated_at: '2026-11-23T12:00:00Z' }, found }),
    reserve: () => ({ release: () => undefined }),
    async createEvaluation({ specs }) {
      stored.push(specs.length)
      return {} as EvaluationJob // nothing looks at it
    },
  }
  return { store, stored }
}

const request = { name: 'n', model: { url: 'http://h', name: 'm' }, collection: { id: 'c' } }

describe('jobs that come in one request', () => {
  // Guarantee: a request of two kilobytes does not make a hundred thousand runs, nor gigabytes of snapshots.
  test.each([
    ['20,000 runs', { benchmarks: 1000, command: 'true' }, 20, /more than 20000 benchmarks together; submit it in another/],
    [
      '32 MiB of them',
      { benchmarks: 4, command: 'x'.repeat(MIB - 1000) },
      8,
      /benchmarks of more than 32 MiB together; submit it in another/,
    ],
  ])('are refused from where they would have more than %s, each by itself', async (_, shape, taken, refusal) => {
    const { store, stored } = storeOf(shape)
    const budget = requestBudget()
    const jobs = Array.from({ length: 30 }, (_, at) => submit(store, { id: String(at), request, idempotency: undefined }, budget))
    const outcomes = await Promise.allSettled(jobs)
    expect(stored).toEqual(Array.from({ length: taken }, () => shape.benchmarks))
    for (const [at, outcome] of outcomes.entries()) {
      if (at < taken) expect(outcome.status).toBe('fulfilled')
      else expect(outcome).toMatchObject({ status: 'rejected', reason: { message: expect.stringMatching(refusal) } })
    }
  })
})
