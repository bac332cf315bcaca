import { expect, vi } from 'vitest'
import { specFor, storedRuns, submitSpecs } from '#db/test-evaluation.ts'
import { test } from '#db/test-db.ts'
import { noteBridge } from '#db/commands/note-bridge.ts'
import { noteWaiting } from '#db/commands/note-waiting.ts'
import { findEvaluation } from '#db/queries/evaluations.ts'
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

test('what is amiss with a launch is told to the run’s user, beside why it waits, and to the operator', async ({ db, tenant }) => {
  const id = await submitSpecs(db, [specFor('true')], { tenant })
  const told: object[] = []
  const runtime = idleRuntime({ launch: async () => ({ objectUid: 'uid', warning: 'Look at the Secret.' }) })
  const onWarning = (warnings: readonly object[]) => void told.push(...warnings)
  const launcher = createLauncher({ db, runtime, holder: 'one', onError: (error) => expect.fail(String(error)), onWarning }, () => {})
  await launcher.pass()
  await launcher.finish()
  await noteBridge(db)
  const shown = async () => (await findEvaluation(db, { tenant, user: '', everyTenant: false }, id))?.status.benchmarks[0]?.warning_message
  expect(told).toEqual([{ evaluationId: id, benchmarkIndex: 0, attempt: 1, warning: 'Look at the Secret.' }])
  expect(await shown()).toEqual({ message: 'Look at the Secret.', message_code: 'launch_warning', message_origin: 'server' })

  const waiting = { kind: 'image_pull', message: 'The image is not there.' }
  await noteWaiting(db, [{ evaluationId: id, benchmarkIndex: 0, attempt: 1, waiting }])
  expect(await shown()).toEqual({
    message: 'The image is not there.\nLook at the Secret.',
    message_code: 'benchmark_waiting',
    message_origin: 'server',
  })
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
