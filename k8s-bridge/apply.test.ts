import { expect } from 'vitest'
import { listUnsettledRuns } from '#db/queries/unsettled-runs.ts'
import { test } from '#db/test-db.ts'
import { specFor, storedRuns, submitSpecs } from '#db/test-evaluation.ts'
import { attemptKey } from '#shared/domain/attempt-key.ts'
import { BenchmarkStatusEvent } from '#shared/models/event.ts'
import { apply } from './apply.ts'
import { idleRuntime } from './test-runtime.ts'

// Guarantee: what is found in the log of one run ends no other run, as its token would not.
test('last words count for the run in whose log they are', async ({ db, tenant }) => {
  const id = await submitSpecs(db, [specFor('true'), specFor('true')], { tenant })
  const present = [0, 1].map((benchmarkIndex) => ({ evaluationId: id, benchmarkIndex, attempt: 1 }))
  const [run] = (await listUnsettledRuns(db, { present, limit: 10, everyLaunched: false })).filter((one) => one.benchmarkIndex === 0)
  const completed = (benchmark_index: number) =>
    BenchmarkStatusEvent.parse({ provider_id: 'provider', id: 'benchmark', benchmark_index, status: 'completed' })
  const outcome = { failureClass: 'adapter_exit' as const, message: 'It ended.' }
  const runtime = idleRuntime({ lastWords: async () => ({ events: [completed(1), completed(0)], outcome }) })
  const object = { ...attemptKey(run!), objectUid: 'uid', launchedAtMs: 0, end: { atMs: 0, outcome, isDisrupted: false, reportGraceMs: 0 } }
  await apply({ db, runtime, holder: 'one', onError: (error) => expect.unreachable(String(error)) }, [
    { do: 'conclude', run: run!, end: outcome, isDisrupted: false, object, isLost: false },
  ])
  expect((await storedRuns(db, id)).map(({ state }) => state)).toEqual(['completed', 'pending'])
})
