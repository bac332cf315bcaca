import { expect, vi } from 'vitest'
import { specFor, storedRuns, submitSpecs } from '#db/test-evaluation.ts'
import { test } from '#db/test-db.ts'
import { createLauncher } from './launch-due.ts'
import { idleRuntime } from './test-runtime.ts'

test('a launch that the cluster does not answer holds up no other', async ({ db, tenant }) => {
  const slow = await submitSpecs(db, [specFor('true', { benchmark_id: 'slow' })], { tenant })
  const answer = Promise.withResolvers<void>()
  const runtime = idleRuntime({
    launch: async ({ spec, evaluationId }) => {
      if (spec.benchmark_id === 'slow') await answer.promise
      return { objectUid: evaluationId }
    },
  })
  const launcher = createLauncher({ db, runtime, holder: 'one', onError: () => {} }, () => {})
  await launcher.pass()
  const other = await submitSpecs(db, [specFor('true')], { tenant })
  await vi.waitFor(async () => {
    await launcher.pass()
    expect(await storedRuns(db, other)).toMatchObject([{ queued: 0 }])
  })
  expect(await storedRuns(db, slow)).toMatchObject([{ queued: 1 }])

  answer.resolve()
  await launcher.finish()
  expect(await storedRuns(db, slow)).toMatchObject([{ queued: 0 }])
})

test('no more is launched at once than a slow cluster answers within a lease', async ({ db, tenant }) => {
  await submitSpecs(db, Array(200).fill(specFor('true')), { tenant })
  const answer = Promise.withResolvers<void>()
  let underWay = 0
  const runtime = idleRuntime({
    launch: async () => {
      underWay += 1
      await answer.promise
      return { objectUid: 'uid' }
    },
  })
  const launcher = createLauncher({ db, runtime, holder: 'one', onError: () => {} }, () => {})
  await launcher.pass()
  await launcher.pass()
  expect(underWay).toBe(48)
  answer.resolve()
  await launcher.finish()
})
